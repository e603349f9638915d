"""What must hold on the real database, with several processes at the same runner."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import zstandard

from services.activities.domain.activity import ALL_BY_RUNNER, Activity, SaidBy, Source
from services.activities.domain.efforts import Effort
from services.activities.domain.listing import Wanted
from services.activities.domain.problems import DuplicateActivity, RemovedHere
from services.activities.domain.sports import SPORTS
from services.activities.parsers.parsed import ParsedActivity
from services.activities.store.activities import ActivityStore
from services.activities.store.arrivals import NewActivity
from services.activities.store.finding import Finder
from services.activities.store.gear import GearStore
from services.activities.store.migrations import MIGRATIONS
from services.activities.store.originals import Originals
from services.activities.store.shape import CATALOGUE, COLLECTIONS, OWNERS, ROLL_UPS
from services.chassis.bus import outbox
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import unkeyed
from services.chassis.mongo import Database, DatabaseError, ObjectId
from services.chassis.problems import Forbidden, NotFound, Unavailable
from services.chassis.secrets import KEK_BYTES, Secrets
from services.chassis.tombstones import TOMBSTONES, Tombstones

THE_FILE = b"the file"
DIGEST = hashlib.sha256(THE_FILE).hexdigest()
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
async def database(database: Database) -> Database:
    await database.apply((*COLLECTIONS, TOMBSTONES, *outbox.COLLECTIONS))
    return database


class House:
    """The stores of one process."""

    def __init__(self, database: Database) -> None:
        self.originals = Originals(database, small=0)
        self.store = ActivityStore(database, self.originals, GearStore(database), Outbox(database))
        self.finder = Finder(database)

    async def add(self, one: NewActivity, original: ObjectId | None = None) -> Activity:
        (added,) = await self.store.add(one.activity.owner, [one], original, unkeyed())
        return added


@pytest.fixture
def houses(database: Database) -> list[House]:
    """Several processes on one database."""
    return [House(database) for _ in range(4)]


@pytest.fixture
def house(houses: list[House]) -> House:
    return houses[0]


def new(number: int = 0, **changes: Any) -> NewActivity:
    start = NOW + timedelta(hours=number)
    fields: dict[str, Any] = {
        "id": f"{random.getrandbits(96):024x}",
        "owner": "ann",
        "version": 1,
        "sport": "running",
        "title": "Morning run",
        "started_at": start,
        "timezone": "UTC",
        "local_date": start.date(),
        "distance_m": 5000.0,
        "elapsed_s": 1500.0,
        "moving_s": 1500.0,
        "source": Source("file", "a.fit", "fit", f"{number:064x}"),
        "created_at": NOW,
        "updated_at": NOW,
    }
    activity = Activity(**(fields | changes))
    return NewActivity(activity, ParsedActivity(activity, points=2, streams=b"columns"))


async def outcomes(*adding: Any) -> Counter[str]:
    done = await asyncio.gather(*adding, return_exceptions=True)
    return Counter("added" if isinstance(one, Activity) else type(one).__name__ for one in done)


async def test_of_the_same_bytes_from_many_processes_one_is_added(houses: list[House]) -> None:
    assert await outcomes(*(house.add(new()) for house in houses * 3)) == {"added": 1, "DuplicateActivity": 11}


async def test_what_is_added_together_is_what_each_would_be_alone(house: House) -> None:
    same = Source("file", "b.fit", "fit", f"{9:064x}")
    coming = [*map(new, range(9)), new(9, source=same), new(9, source=same), new(11, gear_id="of nobody")]
    assert await outcomes(*map(house.add, coming)) == {"added": 10, "DuplicateActivity": 1, "Invalid": 1}
    page, _ = await house.finder.page("ann", Wanted(), "started_at", None, 100)
    assert [one.started_at for one in page] == [one.activity.started_at for one in coming[:10]]
    assert await house.store.settle("ann") == 0


async def test_nobody_who_was_deleted_meanwhile_is_brought_back(database: Database) -> None:
    tombstones = Tombstones(database, Secrets(b"k" * KEK_BYTES))
    house = House(database)
    store = ActivityStore(database, house.originals, GearStore(database), Outbox(database), tombstones)
    await store.add("ann", [new()], None, unkeyed())
    await tombstones.bury("ann")
    await store.remove_all("ann")
    with pytest.raises(Forbidden):
        await store.add("ann", [new(1)], None, unkeyed())
    assert [one async for one in store.all_of("ann")] == []
    assert await database.collection(OWNERS).count_documents({}) == 0


async def test_of_the_same_run_in_other_bytes_from_many_processes_one_is_added(houses: list[House]) -> None:
    # of different sports, so that their statistics are not what makes them conflict
    runs = [
        new(started_at=NOW + timedelta(seconds=10 * n), sport=sport, source=Source("file", "a", "gpx", f"{n:064x}"))
        for n, sport in enumerate(SPORTS[:4])
    ]
    racing = (house.add(run) for house, run in zip(houses, runs, strict=True))
    assert await outcomes(*racing) == {"added": 1, "DuplicateActivity": 3}


async def test_of_a_file_and_strava_at_many_processes_one_activity_is_left(houses: list[House]) -> None:
    told = Source("strava", sha256="s" * 64)

    async def tell(house: House) -> None:
        with suppress(DuplicateActivity):
            await house.store.merge("ann", [new(1, source=told, strava_id="1")], None, unkeyed(), "refresh")

    async def upload(house: House) -> None:
        with suppress(DuplicateActivity):
            await house.add(new(1))

    await asyncio.gather(*map(tell, houses), *map(upload, houses))
    (left,) = [one async for one in houses[0].store.all_of("ann")]
    assert left.strava_id == "1"


async def test_an_activity_of_strava_that_is_removed_while_it_is_told_again_stays_removed(houses: list[House]) -> None:
    told = new(source=Source("strava", sha256="s" * 64), strava_id="1")
    await houses[0].store.merge("ann", [told], None, unkeyed(), "refresh")
    anew = [
        new(source=Source("strava", sha256=f"{n:064x}"), strava_id="1", distance_m=5000.0 + n)
        for n in range(len(houses))
    ]
    racing = [
        house.store.merge("ann", [one], None, unkeyed(), "refresh") for house, one in zip(houses, anew, strict=True)
    ]
    await asyncio.gather(*racing, houses[0].store.remove("ann", told.activity.id, None), return_exceptions=True)
    assert [one async for one in houses[0].store.all_of("ann")] == []
    with pytest.raises(RemovedHere):
        await houses[1].store.merge("ann", [told], None, unkeyed(), "refresh")


async def test_different_runs_from_many_processes_are_all_added_and_summed(houses: list[House]) -> None:
    racing = (houses[n % 4].add(new(n)) for n in range(16))
    assert await outcomes(*racing) == {"added": 16}
    totals = await houses[0].finder.totals("ann", "year", None, None, None)
    assert [(total.activities, total.distance_mm) for total in totals.values()] == [(16, 80_000_000)]


async def test_different_runners_do_not_wait_for_each_other(houses: list[House]) -> None:
    racing = (houses[n % 4].add(new(owner=f"runner-{n}")) for n in range(12))
    assert await outcomes(*racing) == {"added": 12}


async def test_statistics_are_what_rebuilding_makes_of_the_activities(houses: list[House], database: Database) -> None:
    choice = random.Random(7)
    kept: list[Activity] = []
    for n in range(40):
        house = choice.choice(houses)
        match choice.choice(["add", "add", "sport", "remove"]):
            case "add":
                distance = choice.uniform(1000, 30_000)
                start = NOW + timedelta(days=choice.randrange(500), minutes=n)
                one = new(n, started_at=start, local_date=start.date(), distance_m=distance, moving_s=distance / 3)
                kept.append(await house.add(one))
            case "sport" if kept:
                one_of = choice.choice(kept)
                sport = choice.choice(["running", "cycling"])
                await house.store.correct(
                    "ann", one_of.id, lambda before, sport=sport: msgspec.structs.replace(before, sport=sport), None
                )
            case "remove" if kept:
                await house.store.remove("ann", kept.pop(choice.randrange(len(kept))).id, None)
    written = await roll_ups(database)
    assert await houses[0].store.settle("ann") == 0
    assert await roll_ups(database) == written
    assert len(written) > 10


async def roll_ups(database: Database) -> dict[str, Any]:
    found = await database.collection(ROLL_UPS).find({}).to_list(None)
    return {document["_id"]: document for document in found}


async def test_a_change_that_fails_leaves_nothing(house: House, database: Database) -> None:
    class Refusing:
        async def keep(self, session: object, result: object) -> None:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await house.store.add("ann", [new()], None, Refusing())  # type: ignore[arg-type]
    for name in await database.collection_names():
        assert await database.collection(name).count_documents({}) == 0, name


async def test_each_change_is_told_with_its_version(house: House, database: Database) -> None:
    activity = await house.add(new())
    await house.store.correct("ann", activity.id, lambda one: msgspec.structs.replace(one, title="Mine"), 1)
    await house.store.remove("ann", activity.id, 2)
    told = [held.message for held in await Outbox(database).waiting()]
    assert [(event.topic, event.version, event.key) for event in told if not isinstance(event, str)] == [  # type: ignore[union-attr]
        ("activity.imported", 1, activity.id),
        ("activity.changed", 2, activity.id),
        ("activity.deleted", 3, activity.id),
    ]
    assert {event.sub for event in told} == {"ann"}
    assert told[1].data["title"] == "Mine"


async def test_two_sessions_of_one_file_are_no_duplicates_of_each_other(house: House) -> None:
    source = Source("file", "tri.fit", "fit", "f" * 64)
    first = new(source=source, distance_m=0.0)
    second = new(source=source, distance_m=0.0, session=1, started_at=NOW + timedelta(seconds=20))
    added = await house.store.add("ann", [first, second], None, unkeyed())
    assert [one.session for one in added] == [0, 1]
    await house.store.remove("ann", added[0].id, None)
    again = await house.store.add("ann", [first, second], None, unkeyed())
    assert [one.session for one in again] == [0]


async def test_an_original_that_nothing_claims_is_swept_after_its_time(house: House) -> None:
    claimed = await house.originals.put_away("ann", DIGEST, compressed())
    await house.originals.put_away("ann", "b" * 64, compressed())
    activity = await house.add(new(source=Source("file", "run.fit", "fit", DIGEST)), claimed)
    assert await house.originals.sweep() == 0
    assert await house.originals.sweep(older_than=timedelta(seconds=-1)) == 1
    assert (await house.store.original("ann", activity.id))[1] == THE_FILE
    assert await house.originals.sweep(older_than=timedelta(seconds=-1)) == 0


async def test_the_original_of_the_last_activity_that_goes_is_swept_at_once(house: House) -> None:
    original = await house.originals.put_away("ann", "a" * 64, compressed())
    source = Source("file", "tri.fit", "fit", "a" * 64)
    sessions = [new(n, source=source, session=n) for n in range(2)]
    first, second = await house.store.add("ann", sessions, original, unkeyed())
    await house.store.remove("ann", first.id, None)
    assert await house.originals.sweep() == 0
    await house.store.remove("ann", second.id, None)
    assert await house.originals.sweep() == 1
    with pytest.raises(NotFound):
        await house.originals.read(original.place, DIGEST)


async def test_sessions_removed_at_once_do_not_leave_their_file_behind(houses: list[House]) -> None:
    original = await houses[0].originals.put_away("ann", "a" * 64, compressed())
    source = Source("file", "tri.fit", "fit", "a" * 64)
    sessions = [new(n, source=source, session=n, sport=sport) for n, sport in enumerate(SPORTS[:4])]
    added = await houses[0].store.add("ann", sessions, original, unkeyed())
    await asyncio.gather(*(house.store.remove("ann", one.id, None) for house, one in zip(houses, added, strict=True)))
    assert await houses[0].originals.sweep() == 1


async def test_an_original_that_was_swept_is_not_referred_to(house: House) -> None:
    original = await house.originals.put_away("ann", "a" * 64, compressed())
    await house.originals.sweep(older_than=timedelta(seconds=-1))
    with pytest.raises(Unavailable):
        await house.add(new(), original)


async def test_documents_keep_to_their_schema(database: Database) -> None:
    with pytest.raises(DatabaseError):
        await database.collection("activities").insert_one({"_id": "a", "owner": "ann"})
    with pytest.raises(DatabaseError):
        await database.collection("roll_ups").insert_one({"_id": "a", "period": "decade"})


async def test_a_duplicate_names_what_there_is(house: House) -> None:
    activity = await house.add(new())
    with pytest.raises(DuplicateActivity) as refused:
        await house.add(new())
    assert refused.value.extra == {"existing": {"id": activity.id}}


def compressed() -> bytes:
    return zstandard.ZstdCompressor().compress(THE_FILE)


async def test_what_an_older_version_did_not_keep_is_made_when_it_migrates(house: House, database: Database) -> None:
    await house.add(new(title="Around the lake"))
    for name in (ROLL_UPS, CATALOGUE):
        await database.collection(name).delete_many({})
    await database.apply((), MIGRATIONS)
    found, _ = await house.finder.page("ann", Wanted(words="LAKE"), "-started_at", None, 20)
    assert [one.title for one in found] == ["Around the lake"]
    assert len(await house.finder.totals("ann", "year", None, None, None)) == 1


async def test_what_was_corrected_before_it_was_noted_who_did_is_never_overwritten(
    house: House, database: Database
) -> None:
    untouched = await house.add(new())
    corrected = await house.add(new(1, updated_at=NOW + timedelta(hours=3)))
    noted = await house.add(new(2, updated_at=NOW + timedelta(hours=3)))
    ids = {"$in": [untouched.id, corrected.id]}
    await database.collection("activities").update_many({"_id": ids}, {"$unset": {"said_by": ""}})
    for _ in range(2):
        await database.apply((), [msgspec.structs.replace(one, id=f"{one.id}-again") for one in MIGRATIONS])
        said_by = {one.id: one.said_by async for one in house.store.all_of("ann")}
        assert said_by == {untouched.id: SaidBy(), corrected.id: ALL_BY_RUNNER, noted.id: SaidBy()}


async def test_settling_mends_what_is_wrong(house: House, database: Database) -> None:
    await house.add(new())
    await database.collection(ROLL_UPS).update_many({}, {"$set": {"buckets": b"\x90"}})
    await database.collection(CATALOGUE).insert_one({"_id": "ann|1999-01", "owner": "ann", "entries": b"\x90"})
    assert await house.store.settle("ann") == 5
    assert await house.store.settle("ann") == 0
    assert [total.distance_mm for total in (await house.finder.totals("ann", "year", None, None, None)).values()] == [
        5_000_000
    ]


async def test_everything_of_a_runner_is_found_in_portions_too(
    house: House, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = [
        datetime(1990, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 1, tzinfo=UTC),
        datetime(2020, 12, 31, 23, 59, 59, 999000, UTC),
    ]
    added = {(await house.add(new(n, started_at=start))).id for n, start in enumerate(starts)}
    monkeypatch.setattr("services.activities.store.everything.AT_ONCE", 2)
    assert {one.id async for one in house.store.all_of("ann")} == added
    assert await house.store.settle("ann") == 0


@pytest.mark.parametrize("at_once", [5000, 3], ids=["few", "many"])
async def test_a_record_is_known_also_after_all_the_best_went(
    house: House, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("services.activities.store.everything.AT_ONCE", at_once)
    monkeypatch.setattr("services.activities.domain.records.KEPT", 2)
    runs = [with_effort(new(n), 1200.0 + n) for n in range(6)]
    for run in runs:
        await house.add(run)
    for run in runs[:5]:
        ((distance_m, best),) = await house.finder.records("ann")
        assert (distance_m, best.activity_id) == (5000.0, run.activity.id)
        await house.store.remove("ann", run.activity.id, None)
    assert [best.activity_id for _, best in await house.finder.records("ann")] == [runs[5].activity.id]


def with_effort(one: NewActivity, elapsed_s: float) -> NewActivity:
    assert one.parsed is not None
    parsed = msgspec.structs.replace(one.parsed, best_efforts=(Effort(5000.0, elapsed_s, 0.0),))
    return msgspec.structs.replace(one, parsed=parsed)
