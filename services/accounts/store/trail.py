"""The audit trail, kept: entries are put at its end and read, and nothing here changes or removes one.

They expire by themselves. Of two that are put there at once one waits for the other, because both change the head.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.accounts.domain.trail import Entry, Head, Mac, Party, Wanted, sealed
from services.accounts.store.accounts import ACCOUNTS
from services.chassis.audit import Act, Auditor
from services.chassis.mongo import (
    ASCENDING,
    DESCENDING,
    CollectionSpec,
    Database,
    Document,
    DuplicateKeyError,
    IndexSpec,
    Session,
)

TRAIL, HEADS, KEY = "audit", "audit_heads", "audit_key"
SEAL_PURPOSE = "audit.seal"
COLLECTIONS = (
    CollectionSpec(
        TRAIL,
        indexes=(
            IndexSpec((("number", ASCENDING),), name="in_a_row"),
            IndexSpec((("actor.key", ASCENDING), ("number", ASCENDING)), name="by_actor"),
            IndexSpec((("subject.key", ASCENDING), ("number", ASCENDING)), name="by_subject"),
            IndexSpec((("action", ASCENDING), ("number", ASCENDING)), name="by_action"),
            IndexSpec((("expires_at", ASCENDING),), name="expiry", expire_after_s=0),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "number", "at", "recorded_at", "expires_at", "service", "action", "actor", "seal"],
            "properties": {
                "number": {"bsonType": ["int", "long"], "minimum": 1},
                "expires_at": {"bsonType": "date"},
                "seal": {"bsonType": "string"},
            },
        },
    ),
    CollectionSpec(HEADS),
)
_NARROWEST, _WIDER = 128, 4
_HEAD = "head"
_MILLISECOND = timedelta(milliseconds=1)


class Trail:
    """The trail of one Runnerly. `kept_for` is how long an entry is kept."""

    def __init__(
        self, database: Database, auditor: Auditor, kept_for: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._auditor = auditor
        self._kept_for = kept_for
        self._clock = clock
        self._entries = database.collection(TRAIL)
        self._heads = database.collection(HEADS)
        self._accounts = database.collection(ACCOUNTS)

    @property
    def mac(self) -> Mac:
        """What seals entries, by a key that is not in the database."""
        return lambda text: self._auditor.secrets.keyed_hash(SEAL_PURPOSE, text)

    async def append(self, session: Session, act: Act) -> Entry:
        """Put an act at the end, in the transaction of the act, and note by which key its people are known."""
        head = await self.head(session)
        entry = sealed(self._entry(act, head), self.mac)
        changed = {"number": entry.number, "seal": entry.seal, "expires_at": entry.expires_at}
        await self._heads.update_one({"_id": _HEAD}, {"$set": changed}, upsert=True, session=session)
        await self._entries.insert_one(_document(entry), session=session)
        for party in (act.actor, act.subject):
            if party is not None and (sub := self._auditor.who(party)):
                await self._accounts.update_one({"_id": sub}, {"$set": {KEY: party.key}}, session=session)
        return entry

    async def record(self, act: Act) -> Entry | None:
        """Put an act of another service at the end; None where it is there already."""

        async def body(session: Session) -> Entry:
            return await self.append(session, act)

        try:
            return await self._database.transact(body)
        except DuplicateKeyError:
            if await self._entries.find_one({"_id": act.id}, {"_id": 1}) is None:
                raise  # two began the trail at this moment: it comes again
            return None

    async def page(self, wanted: Wanted, before: int | None, limit: int) -> tuple[list[Entry], int | None]:
        """At most so many, the newest first, and the number before which it goes on.

        As accounts are (see `finder`), they are looked for in stretches of numbers, each wider than the one before.
        """
        upper = (await self.head()).number + 1 if before is None else before
        where, width = _filter(wanted), max(2 * limit, _NARROWEST)
        found: list[Entry] = []
        while upper > 1 and len(found) <= limit:
            lower = max(upper - width, 0)
            stretch = {**where, "number": {"$gt": lower, "$lt": upper}}
            documents = await self._entries.find(stretch).sort("number", DESCENDING).limit(limit + 1).to_list(None)
            found += [_entry(document) for document in documents]
            upper, width = lower + 1, width * _WIDER
        if len(found) <= limit:
            return found, None
        return found[:limit], found[limit - 1].number

    async def head(self, session: Session | None = None) -> Head:
        """The last entry."""
        found = await self._heads.find_one({"_id": _HEAD}, session=session)
        return Head(found["number"], found["seal"], found["expires_at"]) if found else Head()

    async def all(self) -> AsyncIterator[Entry]:
        """Every entry that is left, the oldest first."""
        async for document in self._entries.find().sort("number", ASCENDING):
            yield _entry(document)

    async def people(self, keys: Sequence[str]) -> dict[str, str]:
        """The ids of those of these people who are still here, by their keys."""
        found = self._accounts.find({KEY: {"$in": list(keys)}}, {KEY: 1})
        return {document[KEY]: document["_id"] async for document in found}

    def _entry(self, act: Act, head: Head) -> Entry:
        now = _to_the_millisecond(self._clock())
        return Entry(
            number=head.number + 1,
            id=act.id,
            at=_to_the_millisecond(act.at),
            recorded_at=now,
            expires_at=now + self._kept_for,
            service=act.service,
            action=act.action,
            actor=Party(act.actor.kind, act.actor.key, act.actor.id),
            subject=Party(act.subject.kind, act.subject.key, act.subject.id) if act.subject else None,
            details=act.details,
            previous=head.seal,
            previous_expires_at=head.expires_at,
        )


def _to_the_millisecond(moment: datetime) -> datetime:
    """As the database keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _filter(wanted: Wanted) -> Document:
    """What to ask for beside the numbers. Bounds are strict: of a compound index, SecantusDB loses what is on a bound."""
    named = {"actor.key": wanted.actor, "subject.key": wanted.subject, "action": wanted.action}
    where: Document = {name: value for name, value in named.items() if value is not None}
    bounds = {}
    if wanted.since is not None:
        bounds["$gt"] = wanted.since - _MILLISECOND
    if wanted.until is not None:
        bounds["$lt"] = wanted.until
    return {**where, "at": bounds} if bounds else where


def _document(entry: Entry) -> Document:
    fields: Any = msgspec.to_builtins(entry, builtin_types=(datetime,))
    return {"_id": fields.pop("id"), **fields}


def _entry(document: Document) -> Entry:
    return msgspec.convert({"id": document["_id"], **document}, Entry)
