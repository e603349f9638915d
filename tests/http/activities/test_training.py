"""Load, zones, records and fitness, as they follow from activities and from what a profile says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.activities.events import PROFILE_CHANGED
from services.chassis.bus.event import Event
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Session
from tests.support import recordings
from tests.support.recordings import START, a_run, fit, without
from tests.support.runners import Runner, Track
from tests.support.waiting import eventually_is

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROFILE = {
    "name": "Ann",
    "locale": "en",
    "timezone": "Europe/Paris",
    "units": "metric",
    "sex": "male",
    "born_on": None,
    "weight_kg": 60.0,
    "max_hr_bpm": 200,
    "rest_hr_bpm": 40,
    "threshold_speed_mps": None,
}


async def tell_profile(track: Track, runner: Runner, version: int = 1, **changes: Any) -> None:
    """What accounts tells when somebody changes their profile, whole."""
    database = track.mongo.database("runnerly_activities")
    data = PROFILE | changes
    event = Event.of(PROFILE_CHANGED, key=runner.sub, version=version, data=data, sub=runner.sub)

    async def body(session: Session) -> None:
        await Outbox(database, hold_s=0).add(session, event)

    await database.transact(body)


async def load_of(runner: Runner, activity_id: str) -> tuple[float, str]:
    activity = (await runner.get(f"/activities/{activity_id}")).json
    return activity["load"], activity["load_from"]


async def test_load_is_by_pace_until_the_profile_tells_what_a_heart_rate_means(
    shared_track: Track, runner: Runner
) -> None:
    first = await runner.uploaded(fit(recordings.Session(a_run(1800))))
    assert first["load_from"] == "pace"
    assert first["load"] > 0
    version = (await runner.get(f"/activities/{first['id']}")).headers["Etag"]
    await tell_profile(shared_track, runner)

    async def load_from() -> object:
        return (await load_of(runner, first["id"]))[1]

    await eventually_is("heart_rate", load_from)
    load, _ = await load_of(runner, first["id"])
    # TRIMP (Banister) of half an hour at 140 to 149, rest 40, max 200: three minutes at each
    assert load == pytest.approx(44.01, abs=0.02)
    assert (await runner.get(f"/activities/{first['id']}")).headers["Etag"] != version
    later = START + timedelta(days=1)
    second = await runner.uploaded(fit(recordings.Session(a_run(1800, start=later))))
    assert (second["load"], second["load_from"]) == (load, "heart_rate")
    (year,) = (await runner.get("/stats", by="year")).items
    assert year["load"] == pytest.approx(2 * load)


async def test_an_older_profile_that_comes_late_changes_nothing(shared_track: Track, runner: Runner) -> None:
    activity = await runner.uploaded(fit(recordings.Session(a_run(1800))))
    await tell_profile(shared_track, runner, version=3)

    async def load_from() -> object:
        return (await load_of(runner, activity["id"]))[1]

    await eventually_is("heart_rate", load_from)
    await tell_profile(shared_track, runner, version=2, rest_hr_bpm=None)
    await tell_profile(shared_track, runner, version=4, sex="female")  # heard after it

    async def load() -> object:
        return round((await load_of(runner, activity["id"]))[0])

    await eventually_is(50, load)


async def test_a_corrected_sport_is_weighed_anew(runner: Runner) -> None:
    points = without(a_run(1800), "heart_rate")
    activity = await runner.uploaded(fit(recordings.Session(points)))
    ridden = (await runner.ask("PATCH", f"/activities/{activity['id']}", json={"sport": "cycling"})).json
    assert (activity["load_from"], ridden["load"], ridden["load_from"]) == ("pace", None, None)
    assert [year["load"] for year in (await runner.get("/stats", by="year")).items] == [0]


async def test_zones_are_those_of_the_profile(shared_track: Track, runner: Runner) -> None:
    activity = await runner.uploaded(fit(recordings.Session(a_run(1800))))
    path = f"/activities/{activity['id']}/zones"
    assert (await runner.get(path)).items == []
    await tell_profile(shared_track, runner)

    async def times() -> object:
        return [zone["elapsed_s"] for zone in (await runner.get(path)).items]

    await eventually_is([0, 1800, 0, 0, 0], times)
    await tell_profile(shared_track, runner, version=2, max_hr_bpm=160, rest_hr_bpm=60)
    await eventually_is([0, 0, 0, 1800, 0], times)
    assert (await runner.get(path)).items[3] == {"zone": 4, "from_bpm": 140, "to_bpm": 150, "elapsed_s": 1800}
    ride = await runner.uploaded(
        fit(recordings.Session(without(a_run(600, start=START + timedelta(days=9)), "heart_rate")))
    )
    assert (await runner.get(f"/activities/{ride['id']}/zones")).items == []


async def test_zones_are_nobody_elses(runner: Runner, other: Runner) -> None:
    activity = await runner.uploaded(fit(recordings.Session(a_run(600))))
    assert (await other.get(f"/activities/{activity['id']}/zones")).status == 404


async def records(runner: Runner) -> dict[float, tuple[float, str]]:
    items = (await runner.get("/stats/records")).items
    return {item["distance_m"]: (item["elapsed_s"], item["activity_id"]) for item in items}


async def test_records_follow_every_change(runner: Runner) -> None:
    assert await records(runner) == {}
    slow = await runner.uploaded(fit(recordings.Session(a_run(2000, speed=3.0))))
    fast = await runner.uploaded(fit(recordings.Session(a_run(700, speed=4.0, start=START + timedelta(days=1)))))
    held = await records(runner)
    assert held[400.0] == (100.0, fast["id"])
    assert held[1000.0] == (250.0, fast["id"])
    assert held[5000.0] == (1666.67, slow["id"])
    assert set(held) == {400.0, 1000.0, 1609.344, 3000.0, 5000.0}
    (first, *_) = (await runner.get("/stats/records")).items
    assert first["achieved_on"] == "2026-03-02"
    await runner.ask("PATCH", f"/activities/{fast['id']}", json={"sport": "cycling"})
    assert {activity for _, activity in (await records(runner)).values()} == {slow["id"]}
    await runner.ask("PATCH", f"/activities/{fast['id']}", json={"sport": "running"})
    assert await records(runner) == held
    await runner.ask("DELETE", f"/activities/{slow['id']}")
    assert 5000.0 not in await records(runner)
    assert (await records(runner))[400.0] == (100.0, fast["id"])


async def test_fitness_is_told_day_by_day(runner: Runner) -> None:
    assert (await runner.get("/stats/fitness")).items == []
    before = datetime.now(UTC).date()
    run = await runner.uploaded(fit(recordings.Session(a_run(1800))))
    days = (await runner.get("/stats/fitness", **{"from": "2026-02-27", "to": "2026-03-03"})).items
    assert [day["date"] for day in days] == [f"2026-0{day}" for day in ("2-27", "2-28", "3-01", "3-02", "3-03")]
    assert [day["load"] for day in days] == [0, 0, run["load"], 0, 0]
    assert days[2]["fitness"] == pytest.approx(run["load"] * 0.02353, rel=2e-3)
    assert days[2]["fatigue"] == pytest.approx(run["load"] * 0.13312, rel=2e-3)
    assert days[4]["form"] == pytest.approx(days[4]["fitness"] - days[4]["fatigue"], abs=0.011)
    later = (await runner.get("/stats/fitness", **{"from": "2026-03-03", "to": "2026-03-03"})).items
    assert later == days[-1:]
    whole = (await runner.get("/stats/fitness")).items
    assert before <= date_of(whole[-1]) <= datetime.now(UTC).date()
    assert (await runner.get("/stats/fitness", **{"from": "1970-01-01"})).status == 422
    await runner.ask("DELETE", f"/activities/{run['id']}")
    assert (await runner.get("/stats/fitness")).items == []


async def test_fitness_after_a_life_of_running_is_that_of_the_last_twenty_years(runner: Runner) -> None:
    for year in (1995, 2025):
        body = {"sport": "running", "started_at": f"{year}-05-01T08:00:00Z", "timezone": "UTC", "distance_m": 5000}
        assert (await runner.ask("POST", "/activities/manual", json=body | {"elapsed_s": 1500})).status == 201
    days = (await runner.get("/stats/fitness")).items
    assert date_of(days[-1]) - date_of(days[0]) == timedelta(days=20 * 366)
    assert max(day["load"] for day in days) > 0


def date_of(day: dict[str, Any]) -> date:
    return date.fromisoformat(day["date"])
