"""Broadcasts inside a process: each listener hears its channel's messages one after another, in its own time."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from services.chassis import context
from services.chassis.bus.transport import EVENT_LIMIT_S, Data, Listener
from services.chassis.logs import Logger


class Listeners:
    """Who listens to what. A listener that fails misses that message; a slow one keeps nobody waiting but itself."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._queues: defaultdict[str, list[asyncio.Queue[tuple[Data, str | None]]]] = defaultdict(list)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def channels(self) -> list[str]:
        """The channels that somebody listens to."""
        return list(self._queues)

    def add(self, channel: str, listener: Listener) -> None:
        """Let the listener hear what is told on this channel from now on."""
        queue: asyncio.Queue[tuple[Data, str | None]] = asyncio.Queue()
        self._queues[channel].append(queue)
        self._tasks.append(asyncio.create_task(self._serve(channel, listener, queue), name=f"listen {channel}"))

    def tell(self, channel: str, data: Data, traceparent: str | None) -> None:
        """Hand this to all who listen to the channel, in the order it came."""
        for queue in self._queues.get(channel, ()):
            queue.put_nowait((data, traceparent))

    async def stop(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _serve(self, channel: str, listener: Listener, queue: asyncio.Queue[tuple[Data, str | None]]) -> None:
        while True:
            data, traceparent = await queue.get()
            context.enter(context.begin(traceparent, timeout_s=EVENT_LIMIT_S, operation=channel))
            try:
                async with asyncio.timeout(EVENT_LIMIT_S):
                    await listener(data)
            except Exception:  # noqa: BLE001 - the next message must be heard all the same
                self._log.exception("listener.failed", channel=channel)
