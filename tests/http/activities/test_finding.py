"""Every page of every list is what sorting everything would give, however a runner's years are spread."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.activities.domain.activity import Activity, Source
from services.activities.domain.listing import Order, Wanted
from services.activities.store.activities import ActivityStore
from services.activities.store.documents import Held, document_of
from services.activities.store.finding import Finder
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.shape import COLLECTIONS
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Database

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
ORDERS: tuple[Order, ...] = ("-started_at", "started_at", "-distance_m", "-elapsed_s")


def activity(choice: random.Random, start: datetime, **changes: Any) -> Activity:
    # the date of the day where it was, up to 14 hours ahead and 12 behind
    day = (start + timedelta(hours=choice.randint(-12, 14))).date()
    fields: dict[str, Any] = {
        "id": f"{choice.getrandbits(96):024x}",
        "owner": "ann",
        "version": 1,
        "sport": choice.choice(["running", "running", "running", "cycling"]),
        "title": choice.choice(["Morning run", "Tempo", "evening RUN", "Long one"]),
        "started_at": start,
        "timezone": "UTC",
        "local_date": day,
        "distance_m": float(choice.choice([5000, 5000, 10_000, choice.randint(1000, 20_000)])),
        "elapsed_s": float(choice.choice([1800, choice.randint(600, 7200)])),
        "moving_s": 600.0,
        "source": Source("manual"),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Activity(**(fields | changes))


def spread(kind: str, choice: random.Random) -> list[datetime]:
    """When a runner's activities began."""
    whole_seconds = datetime(2020, 1, 1, tzinfo=UTC)
    match kind:
        case "even":
            return [whole_seconds + timedelta(hours=31 * n) for n in range(150)]
        case "a season, then years of nothing":
            early = [whole_seconds + timedelta(hours=5 * n) for n in range(120)]
            return [*early, *(whole_seconds + timedelta(days=1800 + n) for n in range(5))]
        case "at the same moments":
            return [whole_seconds + timedelta(hours=choice.randint(0, 40)) for _ in range(100)]
        case _:
            return [whole_seconds + timedelta(days=n) for n in range(3)]


@pytest.fixture
async def database(database: Database) -> Database:
    await database.apply(COLLECTIONS)
    return database


async def keep(database: Database, activities: list[Activity]) -> None:
    await database.collection("activities").insert_many([document_of(Held(one)) for one in activities])
    await ActivityStore(database, Originals(database), GearStore(database), Outbox(database)).settle("ann")


def expected(activities: list[Activity], wanted: Wanted, order: Order) -> list[str]:
    found = [
        one
        for one in activities
        if (wanted.first is None or one.local_date >= wanted.first)
        and (wanted.last is None or one.local_date <= wanted.last)
        and (wanted.sport is None or one.sport == wanted.sport)
        and (wanted.words is None or wanted.words.lower() in one.title.lower())
    ]
    field = order.removeprefix("-")
    found.sort(key=lambda one: (getattr(one, field), one.id), reverse=order.startswith("-"))
    return [one.id for one in found]


async def listed(finder: Finder, wanted: Wanted, order: Order, limit: int) -> list[str]:
    ids: list[str] = []
    position = None
    while True:
        page, position = await finder.page("ann", wanted, order, position, limit)
        assert len(page) <= limit
        ids += [one.id for one in page]
        if position is None:
            return ids


@pytest.mark.parametrize("kind", ["even", "a season, then years of nothing", "at the same moments", "few"])
async def test_all_pages_together_are_the_whole_list(database: Database, kind: str) -> None:
    choice = random.Random(kind)
    activities = [activity(choice, start) for start in spread(kind, choice)]
    await keep(database, activities)
    await database.collection("activities").insert_many(
        [document_of(Held(activity(choice, NOW - timedelta(days=n), owner="bob"))) for n in range(5)]
    )
    finder = Finder(database)
    filters = [
        Wanted(),
        Wanted(sport="cycling"),
        Wanted(words="run"),
        Wanted(first=date(2020, 1, 3), last=date(2020, 2, 1)),
        Wanted(first=date(2020, 1, 1), sport="running"),
        Wanted(last=date(2020, 1, 2)),
        Wanted(last=date(2019, 12, 1)),
        Wanted(words="MORNING", sport="running", first=date(2020, 1, 2)),
    ]
    for wanted in filters:
        for order in ORDERS:
            limit = choice.choice((11, 30, 100))
            found = await listed(finder, wanted, order, limit)
            assert found == expected(activities, wanted, order), (wanted, order, limit)


async def test_a_page_asks_for_little_more_than_it_shows(database: Database) -> None:
    choice = random.Random(3)
    activities = [activity(choice, start) for start in spread("even", choice)]
    await keep(database, activities)
    for order in ORDERS:
        assert await rows_examined(database, Wanted(), order, limit=10) < 75, order
    assert await rows_examined(database, Wanted(words="tempo"), "-distance_m", limit=10) == 0


async def rows_examined(database: Database, wanted: Wanted, order: Order, limit: int) -> int:
    """How many documents the queries of the first page match, before their limits."""
    seen = 0

    class Counting(Finder):
        async def _find(self, where: dict[str, Any], listing: Any, limit: int) -> list[dict[str, Any]]:
            nonlocal seen
            seen += await self._activities.count_documents(where)
            return await super()._find(where, listing, limit)

    await Counting(database).page("ann", wanted, order, None, limit)
    return seen


async def test_totals_of_any_range_are_those_of_its_days(database: Database) -> None:
    choice = random.Random(5)
    activities = [activity(choice, start) for start in spread("even", choice)]
    await keep(database, activities)
    finder = Finder(database)
    for _ in range(25):
        by = choice.choice(["day", "week", "month", "year"])
        first = choice.choice([None, date(2020, 1, 1) + timedelta(days=choice.randint(0, 330))])
        last = choice.choice([None, (first or date(2020, 1, 1)) + timedelta(days=choice.randint(-1, 90))])
        totals = await finder.totals("ann", by, first, last, choice.choice([None, "running"]))  # type: ignore[arg-type]
        everything = await finder.totals("ann", by, first, last, None)  # type: ignore[arg-type]
        within = expected(activities, Wanted(first=first, last=last), "started_at")
        assert sum(amounts.activities for amounts in everything.values()) == len(within)
        assert sum(amounts.activities for amounts in totals.values()) <= len(within)
        assert list(everything) == sorted(everything)
