"""What is kept of replies is what would be made now, after every kind of change, whichever process made it."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from services.activities.domain.physiology import Physiology
from services.activities.store.activities import ActivityStore
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.chassis.bus.outbox import Outbox
from tests.support.recordings import START, a_run, gpx
from tests.support.runners import Runner, Track

pytestmark = pytest.mark.asyncio(loop_scope="session")

_numbers = itertools.count(1)


def paths(activity: str) -> list[str]:
    """All that is kept."""
    one = f"/activities/{activity}"
    along = (f"{one}/streams?points=50", f"{one}/laps?", f"{one}/splits?unit=km", f"{one}/best-efforts?", f"{one}?")
    return [*along, "/activities?limit=2", "/activities?sort=-distance_m", "/stats?by=month", "/stats/records?"]


async def told(runner: Runner, path: str) -> tuple[int, bytes]:
    answer = await runner.ask("GET", path)
    return answer.status, answer.body


async def look(runner: Runner, activity: str, *, anew: bool = False) -> list[tuple[int, bytes]]:
    """Everything; `anew` as nobody asked before: ampersands change the URI, and nothing else."""
    spelling = "&" * next(_numbers) if anew else ""
    return [await told(runner, path + spelling) for path in paths(activity)]


def a_file(day: int, seconds: int = 900) -> bytes:
    return gpx(a_run(seconds, start=START + timedelta(days=day)))


def another_process(track: Track) -> ActivityStore:
    database = track.mongo.database("runnerly_activities")
    return ActivityStore(database, Originals(database), GearStore(database), Outbox(database))


async def changes(track: Track, runner: Runner, first: dict[str, Any]) -> list[Callable[[], Awaitable[object]]]:
    gear = (await runner.ask("POST", "/gear", json={"kind": "shoes", "name": "Blue"})).json["id"]
    store, one = another_process(track), f"/activities/{first['id']}"
    second = await runner.uploaded(a_file(1))
    return [
        lambda: runner.uploaded(a_file(2, 1200)),
        lambda: runner.ask("PATCH", one, json={"title": "Another", "gear_id": gear}),
        lambda: runner.ask("DELETE", f"/gear/{gear}"),
        lambda: runner.ask("PATCH", one, json={"sport": "cycling"}),
        lambda: runner.ask("DELETE", f"/activities/{second['id']}"),
        lambda: store.learn(runner.sub, Physiology(max_hr_bpm=180)),
        lambda: store.settle(runner.sub),
        lambda: store.remove(runner.sub, first["id"], None),
    ]


async def test_every_change_is_seen_at_once(shared_track: Track, runner: Runner) -> None:
    first = await runner.uploaded(a_file(0))
    for change in await changes(shared_track, runner, first):
        await look(runner, first["id"])  # so that there is something to keep
        await change()
        assert await look(runner, first["id"]) == await look(runner, first["id"], anew=True)


async def test_it_is_kept_at_all(shared_track: Track, runner: Runner) -> None:
    """A change that nobody stamped is not seen: which no code of ours makes, and which shows that the look above can fail."""
    first = await runner.uploaded(a_file(0))
    before = await look(runner, first["id"])
    activities = shared_track.mongo.database("runnerly_activities").collection("activities")
    await activities.update_one({"_id": first["id"]}, {"$set": {"title": "Behind the back"}})
    assert await look(runner, first["id"]) == before
    assert await look(runner, first["id"], anew=True) != before


async def test_nobody_gets_what_was_kept_for_another(runner: Runner, other: Runner) -> None:
    first = await runner.uploaded(a_file(0))
    await other.uploaded(a_file(0))
    await look(runner, first["id"])
    statuses = [status for status, _ in await look(other, first["id"])]
    assert statuses == [404, 404, 404, 404, 404, 200, 200, 200, 200]
