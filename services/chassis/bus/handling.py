"""One attempt at one message, whatever brought it: run the handler in its context, and say what is to become of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.chassis import context
from services.chassis.bus.event import Message
from services.chassis.bus.retry import Retry
from services.chassis.bus.transport import Poison
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Done:
    """It was handled."""


@dataclass(frozen=True, slots=True)
class Again:
    """It failed, and is to come back after this delay."""

    delay_s: float
    error: str
    cause: Exception


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It failed for the last time, or for good: park it."""

    error: str
    cause: Exception | None = None


Verdict: TypeAlias = Done | Again | GivenUp


@dataclass(frozen=True, slots=True)
class Handling:
    """How this process treats messages: its patience, and where it tells of it."""

    retry: Retry
    log: Logger
    metrics: Metrics

    async def attempt(
        self,
        group: str,
        handler: Callable[[Any], Awaitable[None]],
        message: Message,
        *,
        attempt: int,
        limit_s: float,
    ) -> Verdict:
        """Run the handler in the trace of whoever caused the message; never raises.

        An attempt beyond the last is not made: it means that the message ends the processes that handle it.
        """
        begun = time.perf_counter()
        if attempt > self.retry.attempts:
            verdict: Verdict = GivenUp("No handler of it ever came back: it may end the process")
        else:
            verdict = await self._run(handler, message, attempt, limit_s)
        self._tell(group, message, attempt, verdict, (time.perf_counter() - begun) * 1000)
        return verdict

    async def _run(
        self, handler: Callable[[Any], Awaitable[None]], message: Message, attempt: int, limit_s: float
    ) -> Verdict:
        context.enter(context.begin(message.traceparent, timeout_s=limit_s, operation=message.label, sub=message.sub))
        try:
            async with asyncio.timeout(limit_s):
                await handler(message)
        except Poison as poison:
            return GivenUp(f"Poison: {poison}", poison)
        except Exception as failure:  # noqa: BLE001 - a handler may raise anything
            error = f"{type(failure).__name__}: {failure}"
            if self.retry.gives_up_after(attempt):
                return GivenUp(error, failure)
            return Again(self.retry.delay_s(attempt), error, failure)
        return Done()

    def _tell(self, group: str, message: Message, attempt: int, verdict: Verdict, spent_ms: float) -> None:
        outcome = {Done: "done", Again: "failed", GivenUp: "parked"}[type(verdict)]
        self.metrics.timing("bus.handled", spent_ms, group=group, topic=message.label, outcome=outcome)
        about = {"topic": message.label, "event_id": message.id, "group": group}
        match verdict:
            case Done():
                self.log.debug("event.handled", ms=round(spent_ms, 1), **about)
            case Again():
                self.log.warning("event.failed", attempt=attempt, exc_info=verdict.cause, **about)
            case GivenUp():
                self.metrics.incr("bus.parked", group=group, topic=message.label)
                self.log.error("event.parked", attempts=attempt, exc_info=verdict.cause, **about)
