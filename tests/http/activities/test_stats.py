"""Statistics follow what there is, on the dates that runs had where they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.recordings import Session, a_run, fit
from tests.support.runners import Runner

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def add(runner: Runner, start: datetime, metres: float = 5000, sport: str = "running") -> dict[str, Any]:
    body = {
        "sport": sport,
        "started_at": start.isoformat(),
        "timezone": "Europe/Paris",
        "distance_m": metres,
        "elapsed_s": 1500.5,
        "moving_s": 1400.25,
        "ascent_m": 40,
    }
    told = await runner.ask("POST", "/activities/manual", json=body)
    assert told.status == 201, told.body
    activity: dict[str, Any] = told.json
    return activity


async def stats(runner: Runner, by: str, **query: object) -> list[tuple[str, int, float]]:
    told = await runner.get("/stats", by=by, **query)
    assert told.status == 200, told.body
    return [(item["period"], item["activities"], item["distance_m"]) for item in told.items]


async def test_runs_are_summed_by_day_week_month_and_year(runner: Runner) -> None:
    for day, metres in (
        (datetime(2026, 12, 28, 9, tzinfo=UTC), 5000.5),  # a Monday
        (datetime(2026, 12, 28, 18, tzinfo=UTC), 3000),
        (datetime(2027, 1, 1, 9, tzinfo=UTC), 10_000),
        (datetime(2027, 1, 4, 9, tzinfo=UTC), 7000),
    ):
        await add(runner, day - timedelta(days=365), metres)
    assert await stats(runner, "day") == [
        ("2025-12-28", 2, 8000.5),
        ("2026-01-01", 1, 10_000),
        ("2026-01-04", 1, 7000),
    ]
    assert await stats(runner, "week") == [("2025-12-22", 2, 8000.5), ("2025-12-29", 2, 17_000)]
    assert await stats(runner, "month") == [("2025-12-01", 2, 8000.5), ("2026-01-01", 2, 17_000)]
    assert await stats(runner, "year") == [("2025-01-01", 2, 8000.5), ("2026-01-01", 2, 17_000)]
    (first, _) = (await runner.get("/stats", by="year")).items
    assert first == {
        "period": "2025-01-01",
        "activities": 2,
        "distance_m": 8000.5,
        "moving_s": 2800.5,
        "elapsed_s": 3001.0,
        "ascent_m": 80.0,
        "load": pytest.approx(137.93),  # by pace: nothing else is known of these
    }


async def test_days_outside_do_not_count_also_in_a_period_that_is_cut(runner: Runner) -> None:
    for day in (10, 20, 30):
        await add(runner, datetime(2026, 1, day, 9, tzinfo=UTC))
    await add(runner, datetime(2026, 2, 10, 9, tzinfo=UTC))
    await add(runner, datetime(2026, 3, 5, 9, tzinfo=UTC))
    within = {"from": "2026-01-15", "to": "2026-03-04"}
    assert await stats(runner, "month", **within) == [("2026-01-01", 2, 10_000), ("2026-02-01", 1, 5000)]
    assert await stats(runner, "year", **within) == [("2026-01-01", 3, 15_000)]
    assert await stats(runner, "month", **{"from": "2026-02-01"}) == [
        ("2026-02-01", 1, 5000),
        ("2026-03-01", 1, 5000),
    ]
    assert await stats(runner, "day", **{"from": "2026-02-11", "to": "2026-02-01"}) == []


async def test_statistics_follow_corrections_and_removals(runner: Runner) -> None:
    run = await add(runner, datetime(2026, 1, 10, 9, tzinfo=UTC))
    ride = await add(runner, datetime(2026, 1, 11, 9, tzinfo=UTC), 20_000, "cycling")
    assert await stats(runner, "month") == [("2026-01-01", 2, 25_000)]
    assert await stats(runner, "month", sport="cycling") == [("2026-01-01", 1, 20_000)]
    await runner.ask("PATCH", f"/activities/{run['id']}", json={"sport": "cycling"})
    assert await stats(runner, "month", sport="running") == []
    assert await stats(runner, "month", sport="cycling") == [("2026-01-01", 2, 25_000)]
    await runner.ask("DELETE", f"/activities/{ride['id']}")
    assert await stats(runner, "month") == [("2026-01-01", 1, 5000)]
    await runner.ask("DELETE", f"/activities/{run['id']}")
    assert await stats(runner, "month") == []


async def test_a_run_late_in_tokyo_counts_on_its_own_day(runner: Runner) -> None:
    late = datetime(2026, 4, 30, 14, 30, tzinfo=UTC)  # 23:30 there
    await runner.uploaded(fit(Session(a_run(600, start=late, lat=35.68, lon=139.77))))
    after_midnight = datetime(2026, 4, 30, 16, 30, tzinfo=UTC)
    await runner.uploaded(fit(Session(a_run(900, start=after_midnight, lat=35.68, lon=139.77))))
    assert await stats(runner, "month") == [("2026-04-01", 1, 1800), ("2026-05-01", 1, 2700)]


async def test_nobody_is_in_anothers_statistics(runner: Runner, other: Runner) -> None:
    await add(other, datetime(2026, 1, 10, 9, tzinfo=UTC))
    assert await stats(runner, "year") == []


@pytest.mark.parametrize(
    ("query", "field"), [({}, "by"), ({"by": "decade"}, "by"), ({"by": "day", "from": "now"}, "from")]
)
async def test_a_wrong_parameter_is_named(runner: Runner, query: dict[str, object], field: str) -> None:
    told = await runner.get("/stats", **query)
    assert (told.status, told.json["errors"][0]["field"]) == (422, field)
