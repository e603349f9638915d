"""Counters on a real database: each thing counted has a number of its own, and windows end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.store.attempts import COLLECTIONS, Attempts, Count
from services.chassis.mongo import Database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=15)


@pytest.fixture
async def attempts(database: Database) -> Attempts:
    await database.apply(COLLECTIONS)
    return Attempts(database)


async def test_of_many_at_once_each_has_a_number_of_its_own(attempts: Attempts) -> None:
    counts = await asyncio.gather(*(attempts.count("kim", WINDOW, NOW) for _ in range(40)))

    assert sorted(count.number for count in counts) == list(range(1, 41))
    assert (await attempts.read(["kim"], NOW)).get("kim") == Count(40, NOW + WINDOW)


async def test_a_window_ends_when_it_was_said_to_and_a_new_one_begins(attempts: Attempts) -> None:
    await attempts.count("kim", WINDOW, NOW)
    late = NOW + timedelta(minutes=14, seconds=59)

    assert await attempts.count("kim", WINDOW, late) == Count(2, NOW + WINDOW)
    assert (await attempts.read(["kim"], NOW + WINDOW)).get("kim") is None
    assert await attempts.count("kim", WINDOW, NOW + WINDOW) == Count(1, NOW + 2 * WINDOW)


async def test_what_is_forgotten_begins_anew(attempts: Attempts) -> None:
    await attempts.count("kim", WINDOW, NOW)
    await attempts.forget("kim")
    await attempts.forget("lou")

    assert (await attempts.read(["kim"], NOW)).get("kim") is None


async def test_counters_do_not_know_of_each_other(attempts: Attempts) -> None:
    await attempts.count("kim", WINDOW, NOW)

    assert (await attempts.count("lou", WINDOW, NOW)).number == 1
