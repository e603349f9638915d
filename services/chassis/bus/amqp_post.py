"""Putting messages on the broker: each put is confirmed, or raises `BusUnavailable` in time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aio_pika import Message as Envelope
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import PublishError

from services.chassis.bus.amqp_link import Link, answering
from services.chassis.bus.amqp_queues import DEFAULT_EXCHANGE, Mail, Names


class Post:
    """All that is published goes through here."""

    def __init__(self, link: Link, names: Names) -> None:
        self._link = link
        self._names = names

    async def to_exchange(self, exchange: str, routing_key: str, envelope: Envelope) -> None:
        """Publish to whoever is bound, nobody included."""
        async with answering():
            await self._publish(self._names(exchange), routing_key, envelope, mandatory=False)

    async def to_queue(
        self, name: str, envelope: Envelope, declare: Callable[[AbstractChannel, str], Awaitable[object]]
    ) -> None:
        """Publish to one queue; where it is not there yet, or any more, it is declared first."""
        async with answering():
            try:
                await self._publish(DEFAULT_EXCHANGE, self._names(name), envelope, mandatory=True)
            except PublishError:
                await declare(await self._link.publisher(), name)
                await self._publish(DEFAULT_EXCHANGE, self._names(name), envelope, mandatory=True)

    async def later(self, queue: str, mail: Mail, delay_s: float, *, failures: int, error: str) -> None:
        """Put the message back into its queue after the delay."""
        async with answering():
            exchange = await self._names.declare_delay(await self._link.publisher(), delay_s)
            envelope = mail.envelope(failures=failures, delay_s=delay_s, error=error)
            await self._publish(exchange, self._names(queue), envelope, mandatory=True)

    async def park(self, queue: str, mail: Mail, *, failures: int, error: str) -> None:
        """Put the message where an operator finds it."""
        now_ms = int(time.time() * 1000)
        envelope = mail.envelope(failures=failures, queue=queue, error=error, parked_at_ms=now_ms)
        await self.to_exchange("parked", "", envelope)

    async def _publish(self, exchange: str, routing_key: str, envelope: Envelope, *, mandatory: bool) -> None:
        channel = await self._link.publisher()
        target = (
            channel.default_exchange
            if exchange == DEFAULT_EXCHANGE
            else await channel.get_exchange(exchange, ensure=False)
        )
        await target.publish(envelope, routing_key, mandatory=mandatory)
