"""The connection to the broker: kept for as long as the process lives, and never waited for without an end.

aio-pika's own "robust" connection is not used: it remembers what to restore in objects of its own, a publish hangs while
it reconnects, and what fails to be restored is lost silently. Here a plain connection is made anew when it breaks,
and whoever needs something on it (see `amqp_consumer`) declares it again. Starting and recovering are one path.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from services.chassis.bus.transport import BusUnavailable
from services.chassis.logs import Logger

CONNECT_S = 5.0
OPERATION_S = 5.0
HEARTBEAT_S = 20
FIRST_PAUSE_S, MOST_PAUSE_S = 0.1, 2.0
# What aio-pika raises when the other side is gone or refuses; a closed channel is a RuntimeError of its own
BROKEN = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


@asynccontextmanager
async def answering(within_s: float = OPERATION_S) -> AsyncIterator[None]:
    """Turn what aio-pika raises into `BusUnavailable`, and every wait into one that ends."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except BROKEN as failure:
        raise BusUnavailable(f"The message broker does not answer ({type(failure).__name__})") from failure


class Link:
    """A connection that comes back, and on it one channel for publishing, with the broker's confirmation."""

    def __init__(self, url: str, *, log: Logger, on_up: Callable[[AbstractChannel], Awaitable[None]]) -> None:
        self._url = url
        self._log = log
        self._on_up = on_up
        self._connection: AbstractConnection | None = None
        self._publisher: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._stay_connected(), name="broker connection")

    async def stop(self) -> None:
        """Close it for good."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def open(self, *, confirms: bool = False) -> AbstractChannel:
        """A new channel, as soon as there is a connection. Run it inside `answering`, or wait for ever."""
        while self._connection is None:
            await self._up.wait()
        try:
            return await self._connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
        except RuntimeError as closed:  # aiormq's word for a connection that broke a moment ago
            raise ConnectionResetError("The connection to the broker is closed") from closed

    async def publisher(self) -> AbstractChannel:
        """The channel for publishing; a new one where the broker closed the last."""
        async with self._opening:
            if self._publisher is None or self._publisher.is_closed:
                self._publisher = await self.open(confirms=True)
            return self._publisher

    async def _stay_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._use(await aio_pika.connect(self._url, timeout=CONNECT_S, heartbeat=HEARTBEAT_S))
                pause_s = FIRST_PAUSE_S
            except BROKEN as failure:
                self._log.warning("bus.unreachable", transport="rabbitmq", exc_info=failure)
            await asyncio.sleep(pause_s * (0.5 + random.random() / 2))  # noqa: S311 - jitter
            pause_s = min(MOST_PAUSE_S, pause_s * 2)

    async def _use(self, connection: AbstractConnection) -> None:
        """Declare what all need, let everybody in, and return when the connection is lost."""
        lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())  # `connection.closed()` tells only of our own close
        try:
            async with asyncio.timeout(CONNECT_S), connection.channel() as channel:
                await self._on_up(channel)
            self._connection = connection
            self._up.set()
            self._log.info("bus.connected", transport="rabbitmq")
            await lost.wait()
        finally:
            self._up.clear()
            self._connection = self._publisher = None
            await close_quietly(connection)


async def close_quietly(what: AbstractChannel | AbstractConnection | None) -> None:
    """Close what may be gone already."""
    if what is not None:
        with contextlib.suppress(*BROKEN):
            async with asyncio.timeout(OPERATION_S):
                await what.close()
