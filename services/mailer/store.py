"""Where messages wait, and what is remembered of those that are done.

A queued message has `due_at`; whoever sends it moves that ahead (its lease) and puts its own mark on it, so that two
senders never hold one message, and a sender that was killed only delays it. Addresses that refuse our mail are kept
as keyed hashes: enough to recognise them, and nothing to read.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from services.chassis.idempotency import Once
from services.chassis.mongo import (
    CollectionSpec,
    Database,
    Document,
    IndexSpec,
    ReturnDocument,
    Session,
)
from services.mailer.domain.messages import Attempt, Message

MESSAGES, SUPPRESSIONS = "messages", "suppressions"

COLLECTIONS = (
    CollectionSpec(
        MESSAGES,
        indexes=(
            IndexSpec((("due_at", 1),), name="due", partial={"due_at": {"$exists": True}}),
            IndexSpec((("sub", 1),), name="by_person", partial={"sub": {"$exists": True}}),
            IndexSpec((("purge_at", 1),), name="expiry", expire_after_s=0),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "template", "state", "created_at"],
            "properties": {
                "state": {"enum": ["queued", "sent", "failed", "suppressed"]},
                "template": {"bsonType": "string"},
                "created_at": {"bsonType": "date"},
            },
        },
    ),
    CollectionSpec(SUPPRESSIONS, indexes=(IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),)),
)


class Claim(Struct, frozen=True):
    """A message that is ours to send for the time of a lease; `mark` tells our claim from a later one."""

    message: Message
    mark: str


class Store:
    """The mailer's messages and suppressed addresses."""

    def __init__(self, database: Database, *, kept_for: timedelta) -> None:
        self._database, self._kept_for = database, kept_for
        self._messages = database.collection(MESSAGES)
        self._suppressions = database.collection(SUPPRESSIONS)

    async def add(self, message: Message, once: Once[Message]) -> None:
        """Queue a message that was ordered in a request."""

        async def body(session: Session) -> None:
            await self.add_in(session, message)
            await once.keep(session, message)

        await self._database.transact(body)

    async def add_in(self, session: Session, message: Message) -> None:
        """Queue a message in a transaction that somebody else began."""
        await self._messages.insert_one(_document(message), session=session)

    async def read(self, message_id: str) -> Message | None:
        """One message, or None."""
        found = await self._messages.find_one({"_id": message_id})
        return _message(found) if found else None

    async def claim(self, now: datetime, lease: timedelta) -> Claim | None:
        """The message that has been due the longest, for the time of the lease; None where none is due."""
        mark = secrets.token_hex(8)
        found = await self._messages.find_one_and_update(
            {"due_at": {"$lte": now}},
            {"$set": {"due_at": now + lease, "claim": mark}},
            sort=[("due_at", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return Claim(_message(found), mark) if found else None

    async def renew(self, claim: Claim, until: datetime) -> None:
        """Hold a claimed message for longer, where it is still ours."""
        await self._messages.update_one(
            {"_id": claim.message.id, "claim": claim.mark, "due_at": {"$exists": True}}, {"$set": {"due_at": until}}
        )

    async def settle(self, claim: Claim, message: Message) -> bool:
        """Write what became of a claimed message; False where the claim was lost to another sender."""
        document = _document(message)
        if message.finished_at is not None:
            document["purge_at"] = message.finished_at + self._kept_for
        written = await self._messages.replace_one({"_id": message.id, "claim": claim.mark}, document)
        return written.matched_count == 1

    async def suppress(self, address_hash: str, until: datetime) -> None:
        """Send nothing more to this address until then."""
        await self._suppressions.update_one({"_id": address_hash}, {"$set": {"expires_at": until}}, upsert=True)

    async def is_suppressed(self, address_hash: str, now: datetime) -> bool:
        """Whether this address refused our mail lately."""
        return await self._suppressions.find_one({"_id": address_hash, "expires_at": {"$gt": now}}) is not None

    async def waiting_since(self) -> datetime | None:
        """When the oldest message that still waits was queued, or None where none waits."""
        waiting = self._messages.find({"due_at": {"$exists": True}}, {"created_at": 1}).sort("created_at", 1).limit(1)
        oldest: list[Document] = await waiting.to_list(1)
        return oldest[0]["created_at"] if oldest else None

    async def of_person(self, sub: str) -> AsyncIterator[Message]:
        """Every message to a person that is still known, oldest first."""
        async for document in self._messages.find({"sub": sub}).sort("created_at", 1):
            yield _message(document)

    async def erase(self, sub: str) -> None:
        """Forget every message to a person, those that wait included."""
        await self._messages.delete_many({"sub": sub})


def _document(message: Message) -> Document:
    fields = msgspec.structs.asdict(message)
    fields["attempts"] = [msgspec.structs.asdict(attempt) for attempt in message.attempts]
    absent = {name for name in ("due_at", "sub") if fields[name] is None}  # their indexes ask whether they are there
    return {"_id": message.id, **{name: value for name, value in fields.items() if name not in {*absent, "id"}}}


def _message(document: Document) -> Message:
    known = {name: value for name, value in document.items() if name in Message.__struct_fields__}
    known["attempts"] = [msgspec.convert(attempt, Attempt) for attempt in document["attempts"]]
    return msgspec.convert({"id": document["_id"], **known}, Message)
