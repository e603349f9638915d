"""Imports: how far each has come. Whoever works on one holds it by a token, and counts each file once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from services.activities import events
from services.activities.domain.imports import KEPT_FOR, Failure, Import, Outcome, State
from services.activities.domain.local_time import kept
from services.activities.store.archives import Archives
from services.activities.store.shape import IMPORTS
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import Once
from services.chassis.mongo import DESCENDING, Database, Document, ObjectId, Session
from services.chassis.problems import NotFound

RECENT = 100
_GOING_ON: tuple[State, ...] = ("waiting", "running")
_FIELDS = {name: 1 for name in (*Import.__struct_fields__, "_id") if name != "id"}


class Superseded(Exception):
    """The import was stopped or removed, or somebody else works on it now."""


class Held(Struct, frozen=True):
    """An import that its holder works on."""

    id: str
    owner: str
    token: str
    done: int
    listed: int
    archive: ObjectId


class ImportStore:
    """The imports of all runners."""

    def __init__(self, database: Database, archives: Archives, outbox: Outbox) -> None:
        self._database = database
        self._imports = database.collection(IMPORTS)
        self._archives = archives
        self._outbox = outbox

    async def add(self, new: Import, archive: ObjectId, once: Once[Import]) -> Import:
        """Keep a new import of an archive, and have it worked on."""

        async def body(session: Session) -> Import:
            await self._imports.insert_one({**_document_of(new), "archive": archive}, session=session)
            await self._archives.claim(session, archive)
            await self._outbox.add(session, events.import_turn(new.id, new.owner))
            await once.keep(session, new)
            return new

        return await self._database.transact(body)

    async def read(self, owner: str, import_id: str) -> Import:
        """One import. Raises `NotFound`."""
        document: Document | None = await self._imports.find_one({"_id": import_id}, _FIELDS)
        if document is None or document["owner"] != owner:
            raise NotFound
        return _import_of(document)

    async def recent(self, owner: str) -> list[Import]:
        """The latest imports of a runner, newest first."""
        found = self._imports.find({"owner": owner}, _FIELDS).sort("created_at", DESCENDING).limit(RECENT)
        return [_import_of(document) for document in await found.to_list(None)]

    async def going_on(self, owner: str) -> int:
        """How many imports of a runner have not ended."""
        found = self._imports.find({"owner": owner}, {"state": 1})
        return sum(document["state"] in _GOING_ON for document in await found.to_list(None))

    async def hold(self, import_id: str, token: str, now: datetime) -> Held | None:
        """Hold an import from now on, whoever held it before; None where it has ended, or is gone."""
        held = await self._imports.update_one(
            {"_id": import_id, "state": {"$in": list(_GOING_ON)}},
            {"$set": {"token": token, "state": "running", "updated_at": kept(now)}, "$inc": {"version": 1}},
        )
        if held.matched_count == 0:
            return None
        found: Document | None = await self._imports.find_one({"_id": import_id, "token": token})
        if found is None:
            return None
        return Held(found["_id"], found["owner"], token, found["done"], len(found["failed"]), found["archive"])

    async def count(
        self,
        held: Held,
        at: int,
        outcome: Outcome,
        now: datetime,
        *,
        failure: Failure | None = None,
        session: Session | None = None,
    ) -> None:
        """Count the file of this number, once, in a transaction that adds what is in it. Raises `Superseded`."""
        counter = "failures" if outcome == "failed" else outcome
        change: Document = {"$inc": {"done": 1, counter: 1, "version": 1}, "$set": {"updated_at": kept(now)}}
        if failure is not None:
            change["$push"] = {"failed": msgspec.structs.asdict(failure)}
        counted = await self._imports.update_one(
            {"_id": held.id, "token": held.token, "done": at}, change, session=session
        )
        if counted.matched_count == 0:
            raise Superseded

    async def hand_on(self, held: Held) -> None:
        """Let go of an import, and have it worked on again in its turn. Raises `Superseded`."""

        async def body(session: Session) -> None:
            free = await self._imports.update_one(
                {"_id": held.id, "token": held.token}, {"$set": {"token": None}}, session=session
            )
            if free.matched_count == 0:
                raise Superseded
            await self._outbox.add(session, events.import_turn(held.id, held.owner))

        await self._database.transact(body)

    async def end(self, held: Held, state: State, now: datetime, reason: str | None = None) -> None:
        """It has ended: its archive goes. Raises `Superseded`."""
        where: Document = {"_id": held.id, "token": held.token}
        if not await self._ended(where, _ending(state, now, reason), held.owner, held.archive):
            raise Superseded

    async def stop(self, owner: str, import_id: str, now: datetime) -> None:
        """Stop an import, and remove its archive; one that has ended stays as it is. Raises `NotFound`."""
        found: Document | None = await self._imports.find_one({"_id": import_id}, {"owner": 1, "archive": 1})
        if found is None or found["owner"] != owner:
            raise NotFound
        where: Document = {"_id": import_id, "state": {"$in": list(_GOING_ON)}}
        await self._ended(where, _ending("stopped", now, None), owner, found["archive"])

    async def _ended(self, where: Document, ending: Document, owner: str, archive: ObjectId) -> bool:
        """End an import, where it is as expected; its archive belongs to nothing then, and is removed."""

        async def body(session: Session) -> bool:
            ended = await self._imports.update_one(where, ending, session=session)
            if ended.matched_count:
                await self._archives.let_go(session, owner, archive)
            return bool(ended.matched_count)

        if not await self._database.transact(body):
            return False
        await self._archives.remove(archive)
        return True

    async def forgotten(self, since: datetime) -> list[tuple[str, str]]:
        """Imports that go on, of which nothing was heard since then, with their owners: their turn has got lost."""
        found = self._imports.find({"state": {"$in": list(_GOING_ON)}, "updated_at": {"$lt": since}}, {"owner": 1})
        return [(document["_id"], document["owner"]) for document in await found.limit(RECENT).to_list(None)]

    async def wake(self, import_id: str, owner: str, now: datetime) -> None:
        """Have a forgotten import worked on again."""

        async def body(session: Session) -> None:
            again = await self._imports.update_one(
                {"_id": import_id, "state": {"$in": list(_GOING_ON)}},
                {"$set": {"updated_at": kept(now), "token": None}},
                session=session,
            )
            if again.matched_count:
                await self._outbox.add(session, events.import_turn(import_id, owner))

        await self._database.transact(body)

    async def remove_all(self, owner: str) -> None:
        """Remove every import of a runner, and the archives; who works on one notices at the next file."""
        await self._imports.delete_many({"owner": owner})
        await self._archives.remove_all(owner)


def _ending(state: State, now: datetime, reason: str | None) -> Document:
    values: dict[str, Any] = {"state": state, "updated_at": kept(now), "reason": reason, "token": None}
    return {"$set": {**values, "expires_at": kept(now) + KEPT_FOR}, "$inc": {"version": 1}}


def _document_of(new: Import) -> Document:
    document: Document = msgspec.to_builtins(new, builtin_types=(datetime,))
    document["_id"] = document.pop("id")
    return document


def _import_of(document: Document) -> Import:
    document["id"] = document.pop("_id")
    return msgspec.convert(document, Import)
