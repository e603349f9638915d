"""Holding on to a lease for as long as somebody works under it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.chassis.mongo import DatabaseError


@asynccontextmanager
async def renewing(renew: Callable[[], Awaitable[object]], *, every_s: float) -> AsyncIterator[None]:
    """Call `renew` each so many seconds while inside. Where the database is away, the lease has the time until the next."""
    task = asyncio.create_task(_for_ever(renew, every_s))
    try:
        yield
    finally:
        task.cancel()


async def _for_ever(renew: Callable[[], Awaitable[object]], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        with contextlib.suppress(DatabaseError):  # the next time, or another takes over
            await renew()
