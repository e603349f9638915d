"""What an endpoint serves with: the parts of the chassis that every request of a service goes through."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.chassis.auth import Verifier
from services.chassis.bodies import BodyBudget
from services.chassis.idempotency import Keys
from services.chassis.logs import Logger, Logs
from services.chassis.metrics import Metrics
from services.chassis.paging import Cursors
from services.chassis.problems import NotFound
from services.chassis.sessions import BrowserSessions

if TYPE_CHECKING:
    from services.chassis.people import People


class Requests:
    """How many requests a process is working on, and whether it is draining."""

    def __init__(self) -> None:
        self.running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = asyncio.Event()

    def began(self) -> None:
        """One more."""
        self.running += 1
        self._idle.clear()

    def ended(self) -> None:
        """One less."""
        self.running -= 1
        if self.running == 0:
            self._idle.set()

    async def finish(self, grace_s: float) -> int:
        """Wait until none is left, at the most `grace_s` seconds; return how many are."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace_s)
        return self.running


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

    @property
    def held_people(self) -> People:
        """Its side of the people protocol. Raises `NotFound` where it holds nothing of anybody."""
        if self.people is None:
            raise NotFound("This service holds no personal data")
        return self.people
