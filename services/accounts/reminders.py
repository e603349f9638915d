"""What must be done sooner or later, put into the bus's queues when its time has come, and the queues worked on.

The documents say what there is to do and when; the queues only carry that to whoever is free. So nothing is lost with a
message, and work that waits for days for somebody who is away waits in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from msgspec import Struct

from services.accounts.store.leases import Leases
from services.chassis.bus.event import Job
from services.chassis.bus.service_bus import ServiceBus
from services.chassis.bus.transport import BusUnavailable
from services.chassis.logs import Logger
from services.chassis.mongo import DatabaseError

LOOK_EVERY_S = 1.0


class Work(Struct, frozen=True):
    """One kind of work: whose turn it is, who does it, and how many at once in this process."""

    leases: Leases
    do: Callable[[str], Awaitable[None]]
    at_once: int


class Reminders:
    """The work by the names of its queues."""

    def __init__(
        self, works: Mapping[str, Work], bus: ServiceBus, *, clock: Callable[[], datetime], log: Logger
    ) -> None:
        self._works, self._bus, self._clock, self._log = works, bus, clock, log
        self._woken = asyncio.Event()

    async def listen(self) -> None:
        """Work on the queues from now on."""
        for queue, work in self._works.items():
            await self._bus.work(queue, _doing(work), concurrency=work.at_once)

    def wake(self) -> None:
        """Look at once: there may be something to do."""
        self._woken.set()

    async def run(self) -> None:
        """Look for what is due, for ever."""
        while True:
            self._woken.clear()
            try:
                await self._look()
            except (DatabaseError, BusUnavailable) as away:  # it is still due when they are back
                self._log.warning("reminders.late", reason=type(away).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()

    async def _look(self) -> None:
        for queue, work in self._works.items():
            async for document in work.leases.due(self._clock()):
                job = Job.of(queue, {"id": document["_id"]}, key=document["_id"], sub=document.get("sub"))
                await self._bus.enqueue(job)


def _doing(work: Work) -> Callable[[Job], Awaitable[None]]:
    async def handle(job: Job) -> None:
        await work.do(job.data["id"])

    return handle
