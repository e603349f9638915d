"""A worker of one queue in the bus's database: claims what is due, handles it under a lease, and settles it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from services.chassis.bus.handling import Again, Done, GivenUp, Handling, Verdict
from services.chassis.bus.mongo_queue import Claim, Queues
from services.chassis.bus.transport import BusUnavailable

LEASE_S = 15.0
SETTLE_AGAIN_S = 0.5


class Worker:
    """Handles up to `concurrency` messages at once. `ring` tells it that something may be due."""

    def __init__(
        self,
        queues: Queues,
        handling: Handling,
        queue: str,
        handler: Callable[[Any], Awaitable[None]],
        *,
        concurrency: int,
        limit_s: float,
        lease_s: float = LEASE_S,
    ) -> None:
        self._queues = queues
        self._handling = handling
        self._queue = queue
        self._handler = handler
        self._concurrency = concurrency
        self._limit_s = limit_s
        self._lease_s = lease_s
        self._rung = asyncio.Event()
        self._stopping = False
        self._running: dict[str, tuple[Claim, asyncio.Task[None]]] = {}
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work."""
        self._loops = [
            asyncio.create_task(self._claim(), name=f"claim {self._queue}"),
            asyncio.create_task(self._renew(), name=f"renew {self._queue}"),
        ]

    def ring(self) -> None:
        """Look at the queue as soon as there is a hand free."""
        self._rung.set()

    async def stop(self, within_s: float) -> None:
        """Claim nothing more, wait so long for what is running, then hand the rest back."""
        claiming, renewing = self._loops
        self._stopping = True  # and not cancelled: a claim that is under way would be nobody's until its lease ends
        self._rung.set()
        await asyncio.gather(claiming, return_exceptions=True)
        if tasks := [task for _, task in self._running.values()]:
            await asyncio.wait(tasks, timeout=within_s)
        renewing.cancel()
        await asyncio.gather(renewing, *map(self._hand_back, list(self._running.values())), return_exceptions=True)

    async def _hand_back(self, running: tuple[Claim, asyncio.Task[None]]) -> None:
        claim, task = running
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._queues.hand_back(claim)

    async def _claim(self) -> None:
        while not self._stopping:
            await self._rung.wait()
            self._rung.clear()
            with contextlib.suppress(BusUnavailable):  # the watcher rings again when the database is back
                await self._claim_all()

    async def _claim_all(self) -> None:
        """Claim until all hands are full, the queue has nothing due, or we stop."""
        while (free := self._concurrency - len(self._running)) and not self._stopping:
            claims = await self._queues.claim(self._queue, free, self._lease_s)
            for claim in claims:
                self._begin(claim)
            if not claims:
                return

    def _begin(self, claim: Claim) -> None:
        task = asyncio.create_task(self._handle(claim), name=f"handle {self._queue}")
        self._running[claim.key] = (claim, task)
        task.add_done_callback(lambda _: self._ended(claim))

    def _ended(self, claim: Claim) -> None:
        self._running.pop(claim.key, None)
        self._rung.set()

    async def _handle(self, claim: Claim) -> None:
        message = claim.message
        if message is None:
            await self._settle(claim, GivenUp("It can't be read"))
            return
        verdict = await self._handling.attempt(
            self._queue, self._handler, message, attempt=claim.attempt, limit_s=self._limit_s
        )
        await self._settle(claim, verdict)

    async def _settle(self, claim: Claim, verdict: Verdict) -> None:
        """Write down what became of it, for as long as it is ours to say so; else it comes again, once too often."""
        for _ in range(max(1, int(self._lease_s / SETTLE_AGAIN_S))):
            with contextlib.suppress(BusUnavailable):
                await self._write(claim, verdict)
                return
            await asyncio.sleep(SETTLE_AGAIN_S)

    async def _write(self, claim: Claim, verdict: Verdict) -> None:
        match verdict:
            case Done():
                await self._queues.done(claim)
            case Again(delay_s=delay_s, error=error):
                await self._queues.again(claim, delay_s, error)
            case GivenUp(error=error):
                await self._queues.park(claim, error)

    async def _renew(self) -> None:
        """Keep what a long handler works on."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            if claims := [claim for claim, _ in self._running.values()]:
                with contextlib.suppress(BusUnavailable):
                    await self._queues.renew(claims, self._lease_s)
