"""What an endpoint serves with: the parts of the chassis that every request of a service goes through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from services.chassis.auth import Verifier
from services.chassis.bodies import BodyBudget
from services.chassis.idempotency import Keys
from services.chassis.kept_replies import KeptReplies
from services.chassis.logs import Logger, Logs
from services.chassis.metrics import Metrics
from services.chassis.origins import NONE, Origins
from services.chassis.paging import Cursors
from services.chassis.people import People
from services.chassis.problems import NotFound
from services.chassis.sessions import BrowserSessions

LOOK_S = 0.5


class InHand(Protocol):
    """A request that is being worked on. `deadline` is on the monotonic clock; infinite for a stream."""

    deadline: float

    def end_overtime(self) -> None:
        """Stop the work, and answer that it took too long."""


class Requests:
    """The requests that a process is working on, and whether it is draining."""

    def __init__(self) -> None:
        self._open: set[InHand] = set()
        self._after: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = asyncio.Event()

    @property
    def running(self) -> int:
        """How many there are."""
        return len(self._open)

    def began(self, request: InHand) -> None:
        """One more."""
        self._open.add(request)
        self._idle.clear()

    def ended(self, request: InHand) -> None:
        """One less; saying so twice does no harm."""
        self._open.discard(request)
        if not self._open:
            self._idle.set()

    def look_after(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what remains of a request that has ended."""
        task = asyncio.ensure_future(work)
        self._after.add(task)
        task.add_done_callback(self._after.discard)

    async def finish(self, grace_s: float) -> int:
        """Wait until none is left, at the most `grace_s` seconds; return how many are."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        return self.running

    async def end_overtime(self) -> None:
        """End what is past its deadline, for ever. One look at all of them now and then is cheaper than a timer for each."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            for request in list(self._open):
                if request.deadline < now:
                    request.end_overtime()


@dataclass(frozen=True, slots=True)
class Serving:
    """The run-time side of one service, as its endpoints see it. `uses` are its use cases."""

    service: str
    uses: Any
    verifier: Verifier
    sessions: BrowserSessions
    keys: Keys | None
    cursors: Cursors
    metrics: Metrics
    logs: Logs
    log: Logger
    budget: BodyBudget
    requests: Requests
    people: People | None = None
    origins: Origins = NONE
    kept: KeptReplies | None = None

    @property
    def held_people(self) -> People:
        """Its side of the people protocol. Raises `NotFound` where it holds nothing of anybody."""
        if self.people is None:
            raise NotFound("This service holds no personal data")
        return self.people
