"""Hashing: Argon2id, off the loop, the same work for nobody, and never an endless row."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from services.accounts.hashing import LOWEST_PRIORITY, OWASP, Hashing
from services.chassis.problems import Unavailable

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def hashing() -> AsyncIterator[Hashing]:
    hashing = Hashing(QUICK, threads=2, longest_row=2)
    yield hashing
    await hashing.close()


def test_the_parameters_are_at_least_what_owasp_asks_for() -> None:
    parameters = extract_parameters(OWASP.hash("x"))

    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2


async def test_a_password_is_known_again_and_another_is_not(hashing: Hashing) -> None:
    kept = await hashing.hash("p\u00e4ssword")

    assert await hashing.matches(kept, "pa\u0308ssword")
    assert not await hashing.matches(kept, "password")
    assert await hashing.hash("p\u00e4ssword") != kept


async def test_nobody_has_no_password(hashing: Hashing) -> None:
    assert not await hashing.matches(None, "password")
    assert not await hashing.matches("no hash", "password")


async def test_the_loop_does_none_of_the_work() -> None:
    hashing = Hashing(threads=1)
    began = time.thread_time()
    for _ in range(5):
        await hashing.matches(None, "password")
    took = time.thread_time() - began
    await hashing.close()

    assert took < 0.02, "five take 100 ms of a core"


async def test_hashing_stands_back_for_whatever_else_wants_a_core(hashing: Hashing) -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()

    assert await asyncio.get_running_loop().run_in_executor(hashing._threads, priority) == LOWEST_PRIORITY
    assert priority() == before < LOWEST_PRIORITY


async def test_a_hash_of_other_parameters_is_outdated(hashing: Hashing) -> None:
    assert hashing.is_outdated(OWASP.hash("password"))
    assert not hashing.is_outdated(await hashing.hash("password"))


async def test_the_row_has_an_end() -> None:
    hashing = Hashing(threads=1, longest_row=2)

    outcomes = await asyncio.gather(*(hashing.hash("password") for _ in range(6)), return_exceptions=True)
    await hashing.close()

    assert [isinstance(outcome, str) for outcome in outcomes].count(True) == 3
    assert [isinstance(outcome, Unavailable) for outcome in outcomes].count(True) == 3
