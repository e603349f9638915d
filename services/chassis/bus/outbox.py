"""The outbox: what a transaction has to tell is saved with it, and told after it committed.

A document a message, in the service's own database. The process that adds a message holds it from the start, so that
its own relay hands it on at once and without a claim; when that process dies, its hold runs out and another takes over.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from services.chassis.bus.event import Message, decode, encode
from services.chassis.mongo import ASCENDING, CollectionSpec, Database, Document, IndexSpec, Session

OUTBOX = "outbox"
COLLECTIONS = (
    CollectionSpec(
        OUTBOX,
        indexes=(
            IndexSpec((("added_at", ASCENDING),), name="oldest"),
            IndexSpec((("stream", ASCENDING), ("version", ASCENDING)), name="order"),
            IndexSpec((("sub", ASCENDING),), name="person", sparse=True),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "stream", "version", "added_at", "number", "body", "holder", "held_until"],
            "properties": {"body": {"bsonType": "string"}, "held_until": {"bsonType": "date"}},
        },
    ),
)
HOLD_S = 15.0
BATCH = 200


class Backlog(Struct, frozen=True):
    """What waits to be relayed: how many messages, and how long the oldest has waited."""

    depth: int
    age_s: float


class Held(Struct, frozen=True):
    """One waiting message: its place in its stream, and who holds it until when."""

    message: Message
    stream: str
    place: tuple[int, datetime, int]
    holder: str
    held_until: datetime


class Outbox:
    """A service's outbox. `holder` names this process among all that relay the same outbox."""

    def __init__(self, database: Database, *, hold_s: float = HOLD_S) -> None:
        self._outbox = database.collection(OUTBOX)
        self._hold = timedelta(seconds=hold_s)
        self._numbers = itertools.count()
        self._unrelayed: dict[str, datetime] = {}
        self._wake: Callable[[], None] | None = None
        self.holder = secrets.token_hex(8)
        database.on_commit(self._committed)

    @property
    def sure_s(self) -> float:
        """For how many seconds from now nobody else takes what `hold` was told to hold."""
        return self._hold.total_seconds() / 2

    async def add(self, session: Session, *messages: Message) -> None:
        """Tell these after the session's transaction has committed, and never if it does not."""
        if not messages:
            return
        held_until = _now() + self._hold
        await self._outbox.insert_many([self._document(message, held_until) for message in messages], session=session)
        self._unrelayed.update((message.id, held_until) for message in messages)

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call this when a transaction of this process committed that may have added something."""
        self._wake = wake

    async def waiting(self) -> list[Held]:
        """The oldest messages, with all that precede them in their streams, whoever holds them."""
        found = await self._outbox.find().sort("added_at", ASCENDING).limit(BATCH).to_list(BATCH)
        if len(found) == BATCH:
            streams = list({document["stream"] for document in found})
            found = await self._outbox.find({"stream": {"$in": streams}}).to_list(None)
        return [_held(document) for document in found]

    def may_hold(self, held: Held, now: datetime) -> bool:
        """Whether we hold it, or nobody does."""
        return held.holder == self.holder or held.held_until <= now

    async def hold(self, messages: list[Held]) -> set[str]:
        """Hold these for at least `sure_s`; returns the ids of those that another process took in the meantime."""
        now = _now()
        short = [held.message.id for held in messages if not self._holds_surely(held, now)]
        if not short:
            return set()
        free = {"_id": {"$in": short}, "$or": [{"holder": self.holder}, {"held_until": {"$lte": now}}]}
        ours = {"$set": {"holder": self.holder, "held_until": now + self._hold}}
        taken = await self._outbox.update_many(free, ours)
        if taken.matched_count == len(short):
            return set()
        held = self._outbox.find({"_id": {"$in": short}, "holder": self.holder}, {"_id": 1})
        return set(short) - {document["_id"] async for document in held}

    def _holds_surely(self, held: Held, now: datetime) -> bool:
        return held.holder == self.holder and held.held_until >= now + self._hold / 2

    async def remove(self, ids: list[str]) -> None:
        """Forget what the transport has confirmed."""
        if ids:
            await self._outbox.delete_many({"_id": {"$in": ids}})
        for message_id in ids:
            self._unrelayed.pop(message_id, None)

    async def backlog(self) -> Backlog:
        """How much waits, and for how long: a relay that stands still shows here first."""
        oldest = await self._outbox.find_one({}, {"added_at": 1}, sort=[("added_at", ASCENDING)])
        if oldest is None:
            return Backlog(0, 0.0)
        return Backlog(await self._outbox.count_documents({}), (_now() - oldest["added_at"]).total_seconds())

    async def forget(self, sub: str, session: Session | None = None) -> int:
        """Remove what waits to be told about this person; returns how many messages."""
        removed = await self._outbox.delete_many({"sub": sub}, session=session)
        return removed.deleted_count

    def _committed(self) -> None:
        """Wake the relay where one of our messages may have been in what was committed.

        Messages of transactions that never committed are dropped from the list when their hold runs out.
        """
        now = _now()
        self._unrelayed = {key: until for key, until in self._unrelayed.items() if until > now}
        if self._unrelayed and self._wake:
            self._wake()

    def _document(self, message: Message, held_until: datetime) -> Document:
        document: Document = {
            "_id": message.id,
            "stream": message.stream,
            "version": getattr(message, "version", 0),
            "added_at": _now(),
            "number": next(self._numbers),
            "body": encode(message).decode(),
            "holder": self.holder,
            "held_until": held_until,
        }
        return document if message.sub is None else {**document, "sub": message.sub}


def _held(document: Document) -> Held:
    return Held(
        message=decode(document["body"]),
        stream=document["stream"],
        place=(document["version"], document["added_at"], document["number"]),
        holder=document["holder"],
        held_until=document["held_until"],
    )


def _now() -> datetime:
    return datetime.now(UTC)
