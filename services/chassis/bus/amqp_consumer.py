"""One consumer that stays: declared again whenever its connection, its channel or the broker's mind changes."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from services.chassis.bus.amqp_link import BROKEN, FIRST_PAUSE_S, MOST_PAUSE_S, OPERATION_S, Link, close_quietly
from services.chassis.bus.transport import BusUnavailable
from services.chassis.logs import Logger


class Consumer:
    """Hands what comes in a queue to `take`, in a task each, no more than `prefetch` unsettled at once.

    A broker takes a consumer's queue away (basic.cancel) when the queue is deleted or moves to another node, and closes
    its channel for a fault: either way it is declared anew.
    """

    def __init__(
        self,
        link: Link,
        declare: Callable[[AbstractChannel], Awaitable[AbstractQueue]],
        take: Callable[[AbstractIncomingMessage], Awaitable[None]],
        *,
        prefetch: int,
        log: Logger,
        no_ack: bool = False,
    ) -> None:
        self._link = link
        self._declare = declare
        self._take = take
        self._prefetch = prefetch
        self._log = log
        self._no_ack = no_ack
        self._queue: AbstractQueue | None = None
        self._tag = ""
        self._consuming = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def queue(self) -> AbstractQueue | None:
        """The queue, while it is consumed."""
        return self._queue

    async def start(self, within_s: float = OPERATION_S) -> None:
        """Begin, and return when it consumes; without a broker, after a while, to begin when there is one."""
        self._task = asyncio.create_task(self._stay(), name="broker consumer")
        await self.ready(within_s)

    async def ready(self, within_s: float = OPERATION_S) -> None:
        """Return when it consumes, or when the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._consuming.wait()

    async def stop(self, within_s: float) -> None:
        """Take nothing more, wait so long for what is running; the broker gives the rest to others."""
        self._stopping = True
        if self._queue is not None:
            with contextlib.suppress(*BROKEN):
                await self._queue.cancel(self._tag, timeout=OPERATION_S)
        if self._running:
            await asyncio.wait(self._running, timeout=within_s)
        for task in (*self._running, self._task):
            if task is not None:
                task.cancel()
        await asyncio.gather(*self._running, *([self._task] if self._task else []), return_exceptions=True)

    async def _stay(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            channel: AbstractChannel | None = None
            try:
                channel = await self._link.open()
                await self._consume(channel)
                pause_s = FIRST_PAUSE_S
            except BROKEN as failure:
                self._log.warning("bus.unreachable", transport="rabbitmq", exc_info=failure)
            finally:
                self._consuming.clear()
                self._queue = None
                await close_quietly(channel)
            await asyncio.sleep(pause_s * (0.5 + random.random() / 2))  # noqa: S311 - jitter
            pause_s = min(MOST_PAUSE_S, pause_s * 2)

    async def _consume(self, channel: AbstractChannel) -> None:
        """Consume until the channel or the consumer is gone."""
        lost = asyncio.Event()
        async with asyncio.timeout(OPERATION_S):
            await channel.set_qos(prefetch_count=self._prefetch)
            channel.close_callbacks.add(lambda *_: lost.set())
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda _: lost.set())
            queue = await self._declare(channel)
            self._tag = await queue.consume(self._begin, no_ack=self._no_ack)
        self._queue = queue
        self._consuming.set()
        await lost.wait()

    async def _begin(self, incoming: AbstractIncomingMessage) -> None:
        if self._stopping:
            return
        task = asyncio.create_task(self._settle(incoming), name="broker message")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _settle(self, incoming: AbstractIncomingMessage) -> None:
        """Settling fails where the channel is gone: then the broker gives the message to somebody, once too often."""
        with contextlib.suppress(BusUnavailable, *BROKEN):
            await self._take(incoming)
