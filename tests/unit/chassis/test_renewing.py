"""A lease is renewed while somebody works under it, and no longer."""

from __future__ import annotations

import asyncio
import contextlib

from services.chassis.mongo import DatabaseError
from services.chassis.renewing import renewing


class Lease:
    def __init__(self, *, away: int = 0) -> None:
        self.away = away
        self.renewals = 0
        self.renewed = asyncio.Event()

    async def renew(self) -> None:
        self.renewals += 1
        if self.renewals <= self.away:
            raise DatabaseError("away")
        self.renewed.set()


async def is_let_alone(lease: Lease) -> bool:
    """Whether nobody renews it any more, in the time of many renewals."""
    renewals = lease.renewals
    await asyncio.sleep(0.02)
    return lease.renewals == renewals


async def test_it_is_renewed_again_and_again_while_inside() -> None:
    lease = Lease()
    async with asyncio.timeout(5), renewing(lease.renew, every_s=0.001):
        for _ in range(3):
            lease.renewed.clear()
            await lease.renewed.wait()
    assert await is_let_alone(lease)


async def test_a_database_that_is_away_is_asked_again() -> None:
    lease = Lease(away=2)
    async with asyncio.timeout(5), renewing(lease.renew, every_s=0.001):
        await lease.renewed.wait()
    assert lease.renewals >= 3


async def test_work_that_fails_lets_go_of_it() -> None:
    lease = Lease()
    with contextlib.suppress(ZeroDivisionError):
        async with renewing(lease.renew, every_s=0.001):
            await lease.renewed.wait()
            raise ZeroDivisionError
    assert await is_let_alone(lease)
