"""Holding a long job: RabbitMQ closes the channel of whoever has not acknowledged within half an hour.

So well before that the job is copied into a queue of its own, from which it goes back to its work queue after a while, and
then acknowledged. As long as we work on it the copy is renewed; when we are done it is deleted with its queue; when
we die it goes back by itself, as an unacknowledged message would have.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from services.chassis.bus.amqp_link import Link, answering, close_quietly
from services.chassis.bus.amqp_queues import Mail, Names
from services.chassis.bus.transport import BusUnavailable

HOLD_AFTER_S = 20 * 60.0
LEASE_S = 5 * 60.0


class Hold:
    """Waits for `after_s`, then holds the job until it is released."""

    def __init__(
        self, link: Link, names: Names, queue: str, incoming: AbstractIncomingMessage, *, after_s: float, lease_s: float
    ) -> None:
        self._link = link
        self._names = names
        self._queue = queue
        self._incoming = incoming
        self._after_s = after_s
        self._lease_s = lease_s
        self._name = f"held.{secrets.token_hex(8)}"
        self._channel: AbstractChannel | None = None
        self._acknowledged = False
        self._task = asyncio.create_task(self._hold(), name="hold job")

    @property
    def ours(self) -> bool:
        """Whether it is still for us to settle: a broker that closed our channel has given it to somebody else."""
        return self._acknowledged or not self._incoming.channel.is_closed

    async def release(self) -> None:
        """The job is settled: the broker may forget it. Raises what aio-pika raises where it can't be told."""
        await self._stop()
        if self._channel is not None:
            await self._channel.queue_delete(self._names(self._name))
        if not self._acknowledged:
            await self._incoming.ack()
        await close_quietly(self._channel)

    async def abandon(self) -> None:
        """We don't finish it: the broker gives it to somebody, now or when the lease is over."""
        await self._stop()
        await close_quietly(self._channel)

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _hold(self) -> None:
        await asyncio.sleep(self._after_s)
        while True:
            with contextlib.suppress(BusUnavailable):
                await self._renew()
            await asyncio.sleep(self._lease_s / 3)

    async def _renew(self) -> None:
        """A fresh copy in, then the old one out: at no time is there none."""
        async with answering():
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._link.open(confirms=True)
            held = await self._names.declare_held(self._channel, self._name, self._queue, self._lease_s)
            old = await held.get(fail=False)
            mail = Mail.received(self._incoming)
            copy = mail.envelope(failures=mail.failures + 1)
            await self._channel.default_exchange.publish(copy, self._names(self._name), mandatory=True)
            if old is not None:
                await old.ack()
            if not self._acknowledged:
                await self._incoming.ack()
                self._acknowledged = True
