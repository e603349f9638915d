"""Waiting for what must come about, never for a time to pass.

How long is waited at most says only when to give up: on a machine that does much else, everything takes its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

GIVE_UP_S = 60.0


async def eventually(condition: Callable[[], object], *, within_s: float = GIVE_UP_S) -> None:
    """Return as soon as the condition holds; fails, saying what it is, when it does not in time."""
    try:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{condition.__qualname__} did not come about within {within_s} s") from None


async def eventually_is(
    expected: object, read: Callable[[], Awaitable[object]], *, within_s: float = GIVE_UP_S
) -> None:
    """Return as soon as `read` gives what is expected; fails with the last thing it gave instead."""
    value: object = None
    try:
        async with asyncio.timeout(within_s):
            while (value := await read()) != expected:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"within {within_s} s it became {value!r}, not {expected!r}") from None
