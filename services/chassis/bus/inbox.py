"""The inbox: at-least-once delivery becomes one effect, and old news is no news.

Seen ids are kept for a month, longer than a parked message is likely to wait for its replay; the last version heard of
each aggregate is kept for a quarter, longer than any message lives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeGuard, TypeVar

from services.chassis.bus.event import Event, Job, Message
from services.chassis.mongo import ASCENDING, CollectionSpec, Database, Document, DuplicateKeyError, IndexSpec, Session

DAY_S = 24 * 3600
SEEN, VERSIONS = "inbox", "inbox_versions"
PERSON = IndexSpec((("sub", ASCENDING),), name="person", sparse=True)
COLLECTIONS = (
    CollectionSpec(SEEN, indexes=(IndexSpec((("at", ASCENDING),), name="month", expire_after_s=30 * DAY_S), PERSON)),
    CollectionSpec(
        VERSIONS, indexes=(IndexSpec((("at", ASCENDING),), name="quarter", expire_after_s=90 * DAY_S), PERSON)
    ),
)
RACES = 5

M = TypeVar("M", Event, Job)
Handler: TypeAlias = Callable[[M], Awaitable[None]]
Effect: TypeAlias = Callable[[Session, M], Awaitable[None]]


class _Raced(Exception):
    """Another process records the same message or the same aggregate at this moment."""


class Inbox:
    """A service's inbox. `reader` tells handlers apart that hear the same message."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = database.collection(SEEN)
        self._versions = database.collection(VERSIONS)

    def in_transaction(self, reader: str, effect: Effect[M]) -> Handler[M]:
        """A handler whose effect happens exactly once: it is written in the transaction that marks the message seen.

        The effect may run more than once, but only one run is committed.
        """

        async def handle(message: M) -> None:
            async def body(session: Session) -> None:
                if await self._is_news(reader, message, session):
                    await self._mark(reader, message, session)
                    await effect(session, message)

            await self._race(body)

        return handle

    def afterwards(self, reader: str, handler: Handler[M]) -> Handler[M]:
        """A handler for effects that no transaction can hold (a mail, a call): done, then marked as seen.

        A crash between the two does it again: the handler must bear that.
        """

        async def handle(message: M) -> None:
            async def mark(session: Session) -> None:
                if await self._is_news(reader, message, session):
                    await self._mark(reader, message, session)

            if await self._is_news(reader, message, None):
                await handler(message)
                await self._race(mark)

        return handle

    async def forget(self, sub: str, session: Session | None = None) -> int:
        """Remove what is noted of this person's messages; returns how many notes."""
        seen = await self._seen.delete_many({"sub": sub}, session=session)
        versions = await self._versions.delete_many({"sub": sub}, session=session)
        return seen.deleted_count + versions.deleted_count

    async def _race(self, body: Callable[[Session], Coroutine[Any, Any, None]]) -> None:
        """Run the transaction, again where another one was faster: by then its marks can be seen."""
        for _ in range(RACES):
            try:
                return await self._database.transact(body)
            except _Raced:
                continue
        raise _Raced(f"Lost {RACES} races for one message")

    async def _is_news(self, reader: str, message: Message, session: Session | None) -> bool:
        """Whether it was not handled yet, and nothing newer was."""
        if await self._seen.find_one({"_id": f"{reader}/{message.id}"}, {"_id": 1}, session=session):
            return False
        if not _is_versioned(message):
            return True
        newer = {"_id": f"{reader}/{message.stream}", "version": {"$gt": message.version}}
        return await self._versions.find_one(newer, {"_id": 1}, session=session) is None

    async def _mark(self, reader: str, message: Message, session: Session) -> None:
        note: Document = {"at": datetime.now(UTC)} | ({} if message.sub is None else {"sub": message.sub})
        try:
            await self._seen.insert_one({"_id": f"{reader}/{message.id}", **note}, session=session)
            if _is_versioned(message):
                await self._versions.update_one(
                    {"_id": f"{reader}/{message.stream}"},
                    {"$set": note, "$max": {"version": message.version}},
                    upsert=True,
                    session=session,
                )
        except DuplicateKeyError as duplicate:
            raise _Raced from duplicate


def _is_versioned(message: Message) -> TypeGuard[Event]:
    return isinstance(message, Event) and message.version > 0
