"""A worker of one queue on the broker: handles what comes, and settles it only when what follows is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from services.chassis.bus.amqp_hold import Hold
from services.chassis.bus.amqp_link import Link
from services.chassis.bus.amqp_post import Post
from services.chassis.bus.amqp_queues import Mail, Names
from services.chassis.bus.handling import Again, Done, GivenUp, Handling, Verdict
from services.chassis.bus.transport import BusUnavailable

SETTLE_AGAIN_S = 1.0


class Lost:
    """The broker had given it to somebody who never settled it. It is counted, and put at the end of its queue.

    A broker does not count (quorum queues do): without this, a message that ends its process would do so for ever.
    """


class Worker:
    """What a consumer does with each message of a queue of events or jobs."""

    def __init__(
        self,
        link: Link,
        names: Names,
        handling: Handling,
        queue: str,
        handler: Callable[[Any], Awaitable[None]],
        *,
        limit_s: float,
        hold_after_s: float,
        lease_s: float,
    ) -> None:
        self._link = link
        self._names = names
        self._post = Post(link, names)
        self._handling = handling
        self._queue = queue
        self._handler = handler
        self._limit_s = limit_s
        self._hold_after_s = hold_after_s
        self._lease_s = lease_s

    async def take(self, incoming: AbstractIncomingMessage) -> None:
        """Handle it, and settle it."""
        mail = Mail.received(incoming)
        after_s = self._hold_after_s
        hold = Hold(self._link, self._names, self._queue, incoming, after_s=after_s, lease_s=self._lease_s)
        try:
            if incoming.redelivered:
                await self._settle(hold, mail, Lost())
            else:
                await self._settle(hold, mail, await self._verdict(mail))
        except BaseException:
            await hold.abandon()
            raise

    async def _verdict(self, mail: Mail) -> Verdict:
        message = mail.message
        if message is None:
            return GivenUp("It can't be read")
        return await self._handling.attempt(
            self._queue, self._handler, message, attempt=mail.failures + 1, limit_s=self._limit_s
        )

    async def _settle(self, hold: Hold, mail: Mail, verdict: Verdict | Lost) -> None:
        """First what follows, then the release: a crash in between brings the message once too often, never too seldom."""
        while hold.ours:
            try:
                await self._follow(mail, verdict)
            except BusUnavailable:
                await asyncio.sleep(SETTLE_AGAIN_S)
            else:
                await hold.release()
                return
        await hold.abandon()

    async def _follow(self, mail: Mail, verdict: Verdict | Lost) -> None:
        failures = mail.failures + 1
        match verdict:
            case Done():
                return
            case Again(delay_s=delay_s, error=error):
                await self._post.later(self._queue, mail, delay_s, failures=failures, error=error)
            case GivenUp(error=error):
                await self._post.park(self._queue, mail, failures=failures, error=error)
            case Lost():
                await self._post.to_queue(self._queue, mail.envelope(failures=failures), self._names.declare_work)
