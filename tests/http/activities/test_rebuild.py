"""What is kept step by step is what reading every file anew makes.

After any uploads, archives, runs from Strava, corrections, profiles and removals, in any order.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule, run_state_machine_as_test

from services.activities.domain.activity import SaidBy
from services.activities.domain.corrections import Correction, ManualActivity, by_hand
from services.activities.domain.labels import Labels, labelled
from services.activities.domain.listing import Wanted
from services.activities.domain.merging import Words
from services.activities.domain.physiology import UNTOLD, Physiology
from services.activities.domain.problems import DuplicateActivity
from services.activities.domain.roll_ups import PERIODS
from services.activities.domain.sports import Sport
from services.activities.parsers.packed import parsed_file
from services.activities.parsers.parsed import ParsedFile
from services.activities.store.activities import ActivityStore
from services.activities.store.arrivals import NewActivity
from services.activities.store.finding import Finder
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.rebuilds import Place, Rebuilds
from services.activities.store.shape import COLLECTIONS
from services.activities.store.strava_runs import StravaRuns
from services.activities.usecases.correct_activity import CorrectActivity
from services.activities.usecases.import_file import new_activities
from services.activities.usecases.in_their_sports import InTheirSports
from services.activities.usecases.name_gear import NameGear
from services.activities.usecases.rebuild import Rebuild
from services.activities.usecases.take_from_strava import TakeFromStrava
from services.chassis.bus import outbox
from services.chassis.bus.outbox import Outbox
from services.chassis.catalogue import MetricCatalogue
from services.chassis.idempotency import unkeyed
from services.chassis.metrics import NoMetrics
from services.chassis.mongo import Database, Mongo
from services.chassis.secrets import Secrets
from services.chassis.tombstones import Tombstones
from services.command.activities import activities
from services.command.logbook import quiet
from tests.support.database import DatabaseServer
from tests.support.recordings import START, Point, Session, a_run, fit, gpx, without
from tests.support.strava import told_run

T = TypeVar("T")
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
numbers = itertools.count()


def files() -> list[bytes]:
    """Files of a few kinds, each on a day of its own."""
    days = [START + timedelta(days=10 * n, hours=n) for n in range(7)]
    triathlon = [
        Session(without(a_run(300, speed=1.0, start=days[6]), "heart_rate"), sport=5),
        Session(a_run(900, speed=8.0, start=days[6] + timedelta(minutes=6)), sport=2),
        Session(a_run(700, start=days[6] + timedelta(minutes=30))),
    ]
    return [
        fit(Session(a_run(900, start=days[0]), lap_starts=[0, 300])),
        gpx(a_run(700, speed=4.0, start=days[1]), kind=None),
        gpx(a_run(700, speed=11.0, start=days[2]), kind=None),
        gpx(without(a_run(500, speed=2.0, climb=0.1, start=days[3]), "heart_rate"), kind="hiking"),
        fit(Session(without(a_run(800, start=days[4]), "lat", "lon", "altitude"))),
        fit(Session([], start=days[5], elapsed=1800, distance=400)),
        fit(*triathlon),
    ]


FILES = files()


def at_strava() -> list[list[Point]]:
    """Runs that Strava has: of some of the files, of one by hand, and of its own."""
    days = [START + timedelta(days=10 * n, hours=n) for n in range(9)]
    return [
        a_run(895, start=days[0], every=2),
        without(a_run(500, speed=2.0, start=days[3]), "altitude"),
        a_run(1800, speed=0.222, start=days[5], every=10),  # of the file without samples
        a_run(700, start=days[6] + timedelta(minutes=30)),  # the last of a triathlon
        a_run(1500, speed=10 / 3, start=NOW - timedelta(days=3), every=5),
        a_run(600, speed=3.5, start=days[8]),
    ]


AT_STRAVA = at_strava()


class InThisProcess:
    """Reads files as a worker does, without one."""

    async def parse_in_background(self, content: bytes, sports: Mapping[int, Sport] = {}) -> ParsedFile:
        return await self.parse(content, sports)

    async def parse(self, content: bytes, sports: Mapping[int, Sport] = {}) -> ParsedFile:
        return parsed_file(content, hashlib.sha256(content).hexdigest(), sports, level=1)


def new_id() -> str:
    return f"{next(numbers):024x}"


class Runnerly:
    """The stores and what changes them, on one database."""

    def __init__(self, database: Database) -> None:
        self.parsers: Any = InThisProcess()
        self.originals = Originals(database)
        self.store = ActivityStore(database, self.originals, GearStore(database), Outbox(database))
        self.finder = Finder(database)
        self.rebuilds = Rebuilds(database)
        self.rebuild = Rebuild(self.parsers, self.originals, self.store, self.rebuilds)
        self.correct = CorrectActivity(self.store, self.parsers, lambda: NOW)
        self.in_their_sports = InTheirSports(self.parsers, self.store)
        self.strava_runs = StravaRuns(database)
        self.take_from_strava = TakeFromStrava(
            self.parsers,
            self.originals,
            self.store,
            self.in_their_sports,
            self.strava_runs,
            NameGear(GearStore(database), new_id, lambda: NOW),
            Tombstones(database, Secrets(bytes(32))),
            new_id,
            lambda: NOW,
            quiet(),
            NoMetrics(MetricCatalogue.read()),
        )

    async def upload(self, owner: str, content: bytes) -> list[str]:
        parsed = await self.parsers.parse(content)
        new = new_activities(owner, "a.fit", parsed, new_id, NOW)
        original = await self.originals.put_away(owner, parsed.sha256, parsed.original)
        try:
            return [one.id for one in await self.store.add(owner, new, original, unkeyed())]
        except DuplicateActivity:
            return []

    async def bring(self, owner: str, content: bytes, labels: Labels, words: Words) -> list[str]:
        """A file of an archive, and what that says about it."""
        parsed = await self.parsers.parse(content)
        found = new_activities(owner, "a.fit", parsed, new_id, NOW)
        said = [msgspec.structs.replace(one, activity=labelled(one.activity, labels, None)) for one in found]
        try:
            new = await self.in_their_sports(owner, content, said, words)
            place = await self.originals.put_away(owner, parsed.sha256, parsed.original)
            return [one.id for one in (await self.store.merge(owner, new, place, unkeyed(), words)).added]
        except DuplicateActivity:
            return []

    async def seen(self, owner: str) -> dict[str, Any]:
        """All that its owner can see."""
        pages = {
            order: [one.id for one in (await self.finder.page(owner, Wanted(), order, None, 100))[0]]
            for order in ("-started_at", "-distance_m", "-elapsed_s")
        }
        found, _ = await self.finder.page(owner, Wanted(words="run"), "-started_at", None, 100)
        activities = {one.id: one async for one in self.store.all_of(owner)}
        everything = ("laps", "splits", "best_efforts")
        return {
            "activities": activities,
            "pages": pages,
            "found": [one.id for one in found],
            "totals": {by: await self.finder.totals(owner, by, None, None, None) for by in PERIODS},
            "records": await self.finder.records(owner),
            "loads": await self.finder.day_loads(owner, date(2020, 1, 1), date(2027, 1, 1)),
            "parts": {one: await self.store.breakdowns(owner, one, *everything) for one in activities},
            "columns": {one: await self.store.columns(owner, one) for one in activities},
            "rates": {one: (await self.store.heart_rates(owner, one))[1] for one in activities},
        }


class Changes(RuleBasedStateMachine):
    """A runner who does this and that."""

    activities = Bundle("activities")

    def __init__(self, uri: str, database: str) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.mongo, self.runnerly = self.run(self.connect(uri, database))
        self.owner = f"runner-{next(numbers):06}"
        self.titles: dict[str, str] = {}  # that the runner said here

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(doing)

    async def connect(self, uri: str, database: str) -> tuple[Mongo, Runnerly]:
        """The driver keeps to the loop that it was made in."""
        mongo = Mongo(uri)
        return mongo, Runnerly(mongo.database(database))

    @rule(target=activities, number=st.integers(0, len(FILES) - 1))
    def upload(self, number: int) -> Any:
        return multiple(*self.run(self.runnerly.upload(self.owner, FILES[number])))

    @rule(target=activities, day=st.integers(0, 40), metres=st.sampled_from([0.0, 5000.0, 5000.5]))
    def add_by_hand(self, day: int, metres: float) -> Any:
        start = NOW - timedelta(days=day)
        manual = ManualActivity(
            sport="running",
            started_at=start,
            timezone="Asia/Tokyo",
            distance_m=metres,
            elapsed_s=1500.0,
            average_heart_rate_bpm=150.0,
        )
        activity = by_hand(manual, owner=self.owner, activity_id=new_id(), now=NOW)
        try:
            added = self.run(self.runnerly.store.add(self.owner, [NewActivity(activity)], None, unkeyed()))
        except DuplicateActivity:
            return multiple()
        return multiple(*(one.id for one in added))

    @rule(activity=activities, sport=st.sampled_from(["running", "cycling", "hiking", "swimming"]))
    def correct_sport(self, activity: str, sport: Sport) -> None:
        self.run(self.runnerly.correct(self.owner, activity, Correction(sport=sport), None))

    @rule(activity=activities, title=st.sampled_from(["My run", "Ärger"]))
    def correct_title(self, activity: str, title: str) -> None:
        correction = Correction(title=title, perceived_exertion=7, visibility="public")
        self.run(self.runnerly.correct(self.owner, activity, correction, None))
        self.titles[activity] = title

    @rule(
        target=activities,
        number=st.integers(0, len(AT_STRAVA) - 1),
        title=st.sampled_from(["Lunch Run", "Tempo", None]),
        sport=st.sampled_from(["Run", "Run", "Ride"]),
        cut=st.sampled_from([0, 0, 1]),
        sampled=st.sampled_from([True, True, False]),
    )
    def tell_of_strava(self, number: int, title: str | None, sport: str, cut: int, sampled: bool) -> Any:
        points = AT_STRAVA[number][: -1 - cut]
        run = told_run(points, title=title, sport_type=sport, **({} if sampled else {"streams": None}))
        taken = self.run(self.runnerly.take_from_strava(self.owner, str(number), run))
        return taken.activity_id if taken.outcome == "added" else multiple()

    @rule(
        target=activities,
        number=st.integers(0, len(FILES) - 1),
        sport=st.sampled_from([None, None, "walking"]),
        words=st.sampled_from(["keep", "fill"]),
    )
    def bring(self, number: int, sport: Sport | None, words: Words) -> Any:
        exported = words == "fill"  # by Strava
        labels = Labels(
            title="Export" if exported else None,
            sport=sport,
            strava_id="0" if exported and number == 0 else None,
            said_by=SaidBy(title="strava" if exported else None),
        )
        return multiple(*self.run(self.runnerly.bring(self.owner, FILES[number], labels, words)))

    @rule(activity=consumes(activities))
    def remove(self, activity: str) -> None:
        self.titles.pop(activity, None)
        self.run(self.runnerly.store.remove(self.owner, activity, None))

    @rule(
        physiology=st.sampled_from(
            [UNTOLD, Physiology("male", None, 200, 40, 4.0), Physiology("female", date(1990, 1, 1), None, 50)]
        )
    )
    def tell_profile(self, physiology: Physiology) -> None:
        self.run(self.runnerly.store.learn(self.owner, physiology))

    def teardown(self) -> None:
        try:
            self.run(self.is_what_rebuilding_makes())
            self.run(self.runnerly.store.remove_all(self.owner))
        finally:
            self.mongo.close()
            self.loop.close()

    async def is_what_rebuilding_makes(self) -> None:
        before = await self.runnerly.seen(self.owner)
        activities = before["activities"]
        assert {one: activities[one].title for one in self.titles} == self.titles
        known = [one.strava_id for one in activities.values() if one.strava_id]
        assert sorted(known) == sorted(set(known))
        done = await self.runnerly.rebuild(lambda _: None)
        assert (done.changed, done.failed) == (0, 0)
        assert await self.runnerly.seen(self.owner) == before


@pytest.fixture
def prepared(database_server: DatabaseServer) -> Iterator[tuple[str, str]]:
    """The address of a server, and the name of a database with our collections in it."""
    name = f"test_rebuild_{next(numbers)}"

    async def prepare() -> None:
        mongo = Mongo(database_server.uri)
        await mongo.database(name).apply((*COLLECTIONS, *outbox.COLLECTIONS))
        mongo.close()

    asyncio.run(prepare())
    yield database_server.uri, name

    async def drop() -> None:
        mongo = Mongo(database_server.uri)
        await mongo.drop(name)
        mongo.close()

    asyncio.run(drop())


def test_after_any_changes_everything_is_what_rebuilding_makes_of_the_files(prepared: tuple[str, str]) -> None:
    few = settings(
        max_examples=8,
        stateful_step_count=15,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),  # every step is a transaction: to shrink takes minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Changes(*prepared), settings=few)


@pytest.fixture
async def runnerly(database: Database) -> Runnerly:
    await database.apply((*COLLECTIONS, *outbox.COLLECTIONS))
    return Runnerly(database)


async def test_a_rebuild_mends_every_number_and_keeps_what_was_said(runnerly: Runnerly, database: Database) -> None:
    (activity_id,) = await runnerly.upload("ann", FILES[0])
    await runnerly.correct("ann", activity_id, Correction(title="Mine", description="Wet", perceived_exertion=3), None)
    expected = await runnerly.seen("ann")
    version = expected["activities"][activity_id].version
    wrong = {"distance_m": 1.0, "moving_s": 9.0, "load": 4.0, "efforts": [[400.0, 1.0]], "timezone": "UTC"}
    await database.collection("activities").update_one({"_id": activity_id}, {"$set": wrong})
    await database.collection("streams").update_one({"_id": activity_id}, {"$set": {"columns": b"", "laps": []}})
    await database.collection("roll_ups").delete_many({})
    done = await runnerly.rebuild(lambda _: None)
    assert (done.done, done.changed, done.failed) == (1, 1, 0)
    mended = await runnerly.seen("ann")
    assert mended["activities"][activity_id].version == version + 1
    mended["activities"][activity_id] = msgspec.structs.replace(mended["activities"][activity_id], version=version)
    assert mended == expected


async def test_a_rebuild_goes_on_where_it_was_interrupted(runnerly: Runnerly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.activities.usecases.rebuild.AT_ONCE", 1)
    for owner in ("ann", "bob"):
        for content in FILES[:3]:
            await runnerly.upload(owner, content)
    reports: list[Place] = []

    def stop_at_the_fourth(place: Place) -> None:
        reports.append(place)
        if len(reports) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await runnerly.rebuild(stop_at_the_fourth)
    read: list[bytes] = []

    class Counting(InThisProcess):
        async def parse(self, content: bytes, sports: Mapping[int, Sport] = {}) -> ParsedFile:
            read.append(content)
            return await super().parse(content, sports)

    done = await replace(runnerly.rebuild, parsers=Counting())(lambda _: None)  # type: ignore[arg-type]
    assert len(read) == 2
    assert done.done == 6
    assert await runnerly.rebuilds.place() == Place()


async def test_what_was_read_of_what_another_has_replaced_meanwhile_is_left_alone(runnerly: Runnerly) -> None:
    taken = await runnerly.take_from_strava("ann", "1", told_run(AT_STRAVA[0]))
    assert taken.activity_id is not None
    _, content = await runnerly.store.original("ann", taken.activity_id)
    reading = (await runnerly.parsers.parse(content)).session(0)
    assert await runnerly.bring("ann", FILES[0], Labels(), "keep") == []
    assert await runnerly.store.read_anew("ann", taken.activity_id, reading) is False
    assert (await runnerly.store.read("ann", taken.activity_id)).distance_m == 2700.0


async def test_a_file_that_can_not_be_read_any_more_leaves_its_activity(runnerly: Runnerly, database: Database) -> None:
    (activity_id,) = await runnerly.upload("ann", FILES[0])
    await database.collection("originals.chunks").delete_many({})
    await database.collection("originals.files").delete_many({})
    done = await runnerly.rebuild(lambda _: None)
    assert (done.changed, done.failed) == (0, 1)
    assert (await runnerly.store.read("ann", activity_id)).distance_m == 2700.0


async def test_the_command_reads_everything_anew_and_says_how_much(
    database_server: DatabaseServer, fresh_database: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = fresh_database("command")
    await database.apply((*COLLECTIONS, *outbox.COLLECTIONS))
    runnerly = Runnerly(database)
    for content in (FILES[0], FILES[6]):
        await runnerly.upload("ann", content)
    await database.collection("activities").update_many({"session": 0}, {"$set": {"distance_m": 1.0}})
    monkeypatch.setenv("MONGODB_URI", database_server.uri)
    monkeypatch.setattr("services.command.activities.SERVICE", Named(database.name))
    ran = await asyncio.to_thread(CliRunner().invoke, activities, ["rebuild", "--afresh", "--workers", "1"])
    assert ran.exit_code == 0, ran.output
    assert "4 activities read anew: 2 are different now" in ran.output
    assert {round(one.distance_m) async for one in runnerly.store.all_of("ann")} >= {2700, 300}


class Named(msgspec.Struct):
    """A service, as much as a command needs of it."""

    database: str
