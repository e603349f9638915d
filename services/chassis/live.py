"""Server-sent events: a stored log of what happened, the same from every worker, resumed where a client left off.

Events of a stream carry increasing numbers, given in the transaction that stores them. Following is reading the log after a
number and waiting to be woken; so any worker can serve any stream, and a client that comes back with `Last-Event-ID` misses
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from services.chassis.answers import Event
from services.chassis.mongo import ASCENDING, CollectionSpec, Database, IndexSpec, ReturnDocument, Session

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
HEARTBEAT_S = 15.0
HEARTBEAT = b": still here\n\n"
POLL_S = 5.0
KEPT_FOR = timedelta(days=1)
NUMBERS_KEPT_FOR = timedelta(days=30)  # a client that comes back later than that has missed everything anyway
PAGE = 100
WAKE = "live.wake"

COLLECTIONS = (
    CollectionSpec(
        "live_events",
        indexes=(
            IndexSpec((("stream", ASCENDING), ("number", ASCENDING)), name="by_number", unique=True),
            IndexSpec((("at", ASCENDING),), name="expiry", expire_after_s=int(KEPT_FOR.total_seconds())),
            IndexSpec((("sub", ASCENDING),), name="by_person"),
        ),
    ),
    CollectionSpec(
        "live_streams",
        indexes=(
            IndexSpec((("at", ASCENDING),), name="expiry", expire_after_s=int(NUMBERS_KEPT_FOR.total_seconds())),
            IndexSpec((("sub", ASCENDING),), name="by_person"),
        ),
    ),
)


class Broadcaster(Protocol):
    """What is needed of the bus: to wake those who wait on other workers."""

    async def broadcast(self, channel: str, data: Mapping[str, Any]) -> None:
        """Tell every process that listens."""

    async def listen(self, channel: str, listener: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
        """Hear what is told."""


class EventLog:
    """The streams of one service, in its own database."""

    def __init__(self, database: Database, bus: Broadcaster) -> None:
        self._events = database.collection("live_events")
        self._streams = database.collection("live_streams")
        self._bus = bus
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def start(self) -> None:
        """Listen for what other workers store."""
        await self._bus.listen(WAKE, self._wake)

    async def append(self, session: Session | None, stream: str, data: Any, *, sub: str) -> int:
        """Store one event in the running transaction, and return its number. Call `wake` once it is committed."""
        now = datetime.now(UTC)
        counter = await self._streams.find_one_and_update(
            {"_id": stream},
            {"$inc": {"number": 1}, "$set": {"sub": sub, "at": now}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        number: int = counter["number"]
        await self._events.insert_one(
            {
                "stream": stream,
                "number": number,
                "sub": sub,
                "at": now,
                "data": msgspec.to_builtins(data),
            },
            session=session,
        )
        return number

    async def wake(self, stream: str) -> None:
        """Tell the followers of a stream, on every worker, that there is something new."""
        await self._bus.broadcast(WAKE, {"stream": stream})

    async def _wake(self, data: Mapping[str, Any]) -> None:
        for waiting in self._waiting.get(data["stream"], ()):
            waiting.set()

    async def follow(self, stream: str, after: int = 0) -> AsyncIterator[Event]:
        """Every event of a stream after a number, and those to come, without end."""
        async with contextlib.aclosing(self.looks(stream)) as looks:
            async for _ in looks:
                async for document in self._after(stream, after):
                    after = document["number"]
                    yield Event(document["data"], id=str(after))

    async def looks(self, stream: str) -> AsyncGenerator[None, None]:
        """When to look at what a stream tells of: now, and each time it is woken. An unheard wake costs five seconds."""
        news = asyncio.Event()
        self._waiting.setdefault(stream, set()).add(news)
        try:
            while True:
                news.clear()
                yield
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await news.wait()
        finally:
            self._waiting[stream].discard(news)
            if not self._waiting[stream]:
                del self._waiting[stream]

    async def _after(self, stream: str, number: int) -> AsyncIterator[dict[str, Any]]:
        found = self._events.find({"stream": stream, "number": {"$gt": number}}).sort("number", ASCENDING).limit(PAGE)
        async for document in found:
            yield document

    async def forget(self, sub: str) -> None:
        """Remove every stream of a person."""
        await self._events.delete_many({"sub": sub})
        await self._streams.delete_many({"sub": sub})


async def send(
    source: AsyncIterator[Event],
    write: Callable[[bytes], Awaitable[None]],
    *,
    until: float | None,
    draining: asyncio.Event,
) -> None:
    """Write events until the source ends, the token expires (`until`, epoch seconds) or the process drains."""
    upcoming = asyncio.ensure_future(anext(source, None))
    stopping = asyncio.ensure_future(draining.wait())
    try:
        while True:
            left_s = HEARTBEAT_S if until is None else max(0.0, until - time.time())
            wait_s = min(HEARTBEAT_S, left_s)
            await asyncio.wait({upcoming, stopping}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() or (wait_s < HEARTBEAT_S and not upcoming.done()):
                return
            if not upcoming.done():
                await write(HEARTBEAT)
                continue
            event = upcoming.result()
            if event is None:
                return
            await write(as_text(event))
            upcoming = asyncio.ensure_future(anext(source, None))
    finally:
        stopping.cancel()
        upcoming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await upcoming
        if hasattr(source, "aclose"):
            await source.aclose()


def as_text(event: Event) -> bytes:
    """One event as the wire has it (HTML Living Standard, 9.2)."""
    lines = [b"data: " + msgspec.json.encode(event.data)]
    if event.name is not None:
        lines.insert(0, b"event: " + event.name.encode())
    if event.id is not None:
        lines.insert(0, b"id: " + event.id.encode())
    return b"\n".join(lines) + b"\n\n"
