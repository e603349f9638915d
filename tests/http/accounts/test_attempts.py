"""Counters of attempts on a real database: no burst gets more than the limit, and success forgets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.store.attempts import COLLECTIONS, Attempts, Taken
from services.chassis.mongo import Database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=15)


@pytest.fixture
async def attempts(database: Database) -> Attempts:
    await database.apply(COLLECTIONS)
    return Attempts(database)


async def taken(attempts: Attempts, times: int, now: datetime = NOW) -> list[Taken]:
    answers = await asyncio.gather(*(attempts.take("kim", 10, WINDOW, now) for _ in range(times)))
    return [answer.taken for answer in answers]


async def test_a_burst_gets_no_more_than_the_limit(attempts: Attempts) -> None:
    assert (await taken(attempts, 40)).count(Taken.YES) == 10


async def test_attempts_that_are_being_made_are_no_failures_yet(attempts: Attempts) -> None:
    await taken(attempts, 10)

    assert await taken(attempts, 1) == [Taken.BUSY]
    for _ in range(10):
        await attempts.fail("kim")
    assert await taken(attempts, 1) == [Taken.NO]


async def test_success_gives_back_and_forgets_the_failures_before_it(attempts: Attempts) -> None:
    await taken(attempts, 10)
    for _ in range(9):
        await attempts.fail("kim")
    await attempts.succeed("kim")

    assert (await taken(attempts, 11)).count(Taken.YES) == 10


async def test_what_was_no_attempt_is_given_back(attempts: Attempts) -> None:
    await taken(attempts, 10)
    await attempts.give_back("kim")

    assert (await taken(attempts, 2)).count(Taken.YES) == 1


async def test_the_window_ends_and_says_when(attempts: Attempts) -> None:
    await taken(attempts, 10)
    for _ in range(10):
        await attempts.fail("kim")
    later = NOW + timedelta(minutes=14, seconds=59)

    assert (await attempts.take("kim", 10, WINDOW, later)).ends_at == NOW + WINDOW
    assert (await taken(attempts, 11, NOW + WINDOW)).count(Taken.YES) == 10


async def test_counters_do_not_know_of_each_other(attempts: Attempts) -> None:
    await taken(attempts, 10)

    assert (await attempts.take("lou", 10, WINDOW, NOW)).taken is Taken.YES
