"""What is new in the bus's database: one change stream a process, fanned out in memory.

A change stream holds a thread of Motor's pool for as long as it is open: one for each consumer would leave no thread for
anything else. So one stream sees all that is inserted and wakes whoever it concerns. It is only a bell: each second
a look at what is due finds what no insert announces (a retry, a dead worker's message) or what was inserted while the
stream was broken, and broadcasts of that time are read from where they are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.chassis.bus.mongo_queue import MESSAGES, Queues, Told, told
from services.chassis.bus.transport import BusUnavailable
from services.chassis.logs import Logger
from services.chassis.mongo import Database, DatabaseError, Document

POLL_S = 1.0
AWAIT_MS = 1_000
OVERLAP = timedelta(seconds=10)
REMEMBERED = 2_000
# Of a message only its queue travels to every process, of a broadcast all of it.
INSERTS = (
    {"$match": {"operationType": "insert"}},
    {
        "$project": {
            "fullDocument._id": 1,
            "fullDocument.queue": 1,
            "fullDocument.told": 1,
            "fullDocument.told_at": 1,
        }
    },
)


class Watcher:
    """Rings for each queue where something may be due, and hands on each broadcast once."""

    def __init__(
        self,
        database: Database,
        queues: Queues,
        *,
        log: Logger,
        ring: Callable[[str], None],
        hand_on: Callable[[Told], None],
        poll_s: float = POLL_S,
    ) -> None:
        self._database = database
        self._queues = queues
        self._log = log
        self._ring = ring
        self._hand_on = hand_on
        self._poll_s = poll_s
        self._watched: set[str] = set()
        self._channels: dict[str, datetime] = {}
        self._heard: deque[str] = deque(maxlen=REMEMBERED)
        self._open = asyncio.Event()
        self._resume_after: Any = None
        self._missed = True
        self._sure_until = datetime.now(UTC)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to watch."""
        self._tasks = [
            asyncio.create_task(self._watch(), name="bus watch"),
            asyncio.create_task(self._poll(), name="bus poll"),
        ]

    async def stop(self) -> None:
        """End it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def watch_queue(self, queue: str) -> None:
        """Ring for this queue, too; at once, since something may wait there already."""
        self._watched.add(queue)
        self._ring(queue)

    async def watch_channel(self, channel: str, within_s: float = 5.0) -> None:
        """Hear this channel from now on. Where the stream is broken now, what is told meanwhile comes later."""
        self._channels.setdefault(channel, datetime.now(UTC))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._open.wait()

    # -- the stream ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            try:
                options = {"resume_after": self._resume_after} if self._resume_after else {}
                async with self._database.changes(MESSAGES, INSERTS, max_await_time_ms=AWAIT_MS, **options) as stream:
                    self._open.set()
                    async for change in stream:
                        self._resume_after = change["_id"]
                        self._changed(change)
            except DatabaseError as failure:
                self._log.warning("bus.unreachable", transport="mongodb", exc_info=failure)
                self._missed = True
                if self._open.is_set():
                    self._open.clear()
                else:  # not even opened: the place to resume from may be gone from the oplog
                    self._resume_after = None
            await asyncio.sleep(0.1 + random.random() * self._poll_s)  # noqa: S311 - jitter

    def _changed(self, change: Document) -> None:
        document = change["fullDocument"]
        if "told" in document:
            self._heard_of(told(document))
        elif document["queue"] in self._watched:
            self._ring(document["queue"])

    def _heard_of(self, broadcast: Told) -> None:
        if broadcast.channel in self._channels and broadcast.key not in self._heard:
            self._heard.append(broadcast.key)
            self._hand_on(broadcast)

    # -- the look each second --------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s * (0.75 + random.random() / 2))  # noqa: S311 - jitter
            try:
                for queue in await self._queues.due(sorted(self._watched)) if self._watched else ():
                    self._ring(queue)
                await self._catch_up()
            except BusUnavailable:
                continue  # the stream says so, once

    async def _catch_up(self) -> None:
        """Read the broadcasts that the stream may have missed: while it is broken, and once more after that."""
        now, missed, self._missed = datetime.now(UTC), self._missed, not self._open.is_set()
        if missed and self._channels:
            try:
                broadcasts = await self._queues.told_since(sorted(self._channels), self._sure_until - OVERLAP)
            except BusUnavailable:
                self._missed = True
                raise
            for broadcast in broadcasts:
                if broadcast.at >= self._channels[broadcast.channel]:
                    self._heard_of(broadcast)
        if not self._missed:
            self._sure_until = now
