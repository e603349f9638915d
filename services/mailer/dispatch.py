"""The loop that sends what is due: a few at once, at once when something is queued here, by looking now and then else.

It is cancelled when the process drains: then it takes nothing new, and what is being handed over gets a moment to end,
because a mail cut off there would go out a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from services.chassis import context
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.renewing import renewing
from services.mailer.domain.messages import Message, State
from services.mailer.store import Claim, Store

LEASE = timedelta(seconds=15)  # renewed while we send: for so long a killed sender delays its mails
RENEW_EVERY_S = 4.0
JOB_S = 600.0
LOOK_EVERY_S = 1.0
LAST_MOMENT_S = 5.0
MEASURE_EVERY_S = 15.0
OUTCOMES = {State.SENT: "sent", State.QUEUED: "deferred", State.FAILED: "failed", State.SUPPRESSED: "suppressed"}


class Dispatcher:
    """Claims due messages and has them sent, `at_once` at a time."""

    def __init__(
        self,
        store: Store,
        send: Callable[[Claim], Awaitable[Message | None]],
        *,
        at_once: int,
        clock: Callable[[], datetime],
        metrics: Metrics,
        log: Logger,
    ) -> None:
        self._store, self._send, self._clock, self._metrics, self._log = store, send, clock, metrics, log
        self._free = asyncio.Semaphore(at_once)
        self._woken = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look at once: something may have been queued."""
        self._woken.set()

    async def run(self) -> None:
        """Send what is due until cancelled."""
        try:
            while True:
                await self._free.acquire()
                claim = await self._next()
                task = asyncio.create_task(self._handle(claim))
                self._sending.add(task)
                task.add_done_callback(self._done)
        finally:
            if self._sending:
                await asyncio.wait(self._sending, timeout=LAST_MOMENT_S)

    async def measure(self) -> None:
        """Measure how long the oldest message has waited, until cancelled."""
        while True:
            since = await self._store.waiting_since()
            waited_s = (self._clock() - since).total_seconds() if since else 0.0
            self._metrics.gauge("mail.waiting", waited_s)
            await asyncio.sleep(MEASURE_EVERY_S)

    async def _next(self) -> Claim:
        while True:
            self._woken.clear()
            claim = await self._claim()
            if claim is not None:
                return claim
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()

    async def _claim(self) -> Claim | None:
        try:
            return await self._store.claim(self._clock(), LEASE)
        except Exception as failure:  # noqa: BLE001 - the loop outlives a database that is away
            self._log.warning("mail.queue_unreadable", reason=repr(failure))
            return None

    async def _handle(self, claim: Claim) -> None:
        """Send one, in the trace of the request that ordered it."""
        trace = f"00-{claim.message.trace_id}-{secrets.token_hex(8)}-01"
        context.enter(context.begin(trace, timeout_s=JOB_S, service="mailer", sub=claim.message.sub))
        began = time.perf_counter()
        try:
            async with renewing(lambda: self._store.renew(claim, self._clock() + LEASE), every_s=RENEW_EVERY_S):
                message = await self._send(claim)
        except Exception as failure:  # noqa: BLE001 - its lease runs out, then it is tried again
            self._log.error("mail.broken", mail_id=claim.message.id, template=claim.message.template, exc_info=failure)
            return
        if message is not None:
            self._report(message, (time.perf_counter() - began) * 1000)

    def _report(self, message: Message, elapsed_ms: float) -> None:
        outcome = OUTCOMES[message.state]
        self._metrics.timing("mail.delivery", elapsed_ms, template=message.template, outcome=outcome)
        which = {"mail_id": message.id, "template": message.template}
        attempts = len(message.attempts)
        reply = message.attempts[-1].code if message.attempts else None
        if message.state is State.SENT:
            self._log.info("mail.sent", attempts=attempts, **which)
        elif message.state is State.QUEUED:
            self._log.warning("mail.deferred", attempt=attempts, reply=reply, **which)
        elif message.state is State.FAILED:
            self._log.error("mail.failed", attempts=attempts, reply=reply, **which)
        else:
            self._log.info("mail.suppressed", **which)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._free.release()
