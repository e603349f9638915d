"""Exports: at most one a person is under way, which an index says, and the last finished one is kept for some days."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from services.accounts.domain.exports import Export, State, StoredFile
from services.accounts.store.export_files import ExportFiles
from services.accounts.store.leases import DUE, Leases
from services.chassis.bus.event import Message
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import Once
from services.chassis.logs import Logger
from services.chassis.mongo import (
    CollectionSpec,
    Database,
    DatabaseError,
    Document,
    DuplicateKeyError,
    IndexSpec,
    Session,
)
from services.chassis.problems import Conflict, NotFound

EXPORTS = "exports"
RACES = 3
SWEEP_EVERY_S = 600.0

COLLECTIONS = (
    CollectionSpec(
        EXPORTS,
        indexes=(
            DUE,
            IndexSpec((("sub", 1),), name="one_at_a_time", unique=True, partial={"due_at": {"$exists": True}}),
            IndexSpec((("sub", 1), ("created_at", -1)), name="by_person"),
            IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "sub", "state", "created_at"],
            "properties": {"state": {"enum": [str(state) for state in State]}, "created_at": {"bsonType": "date"}},
        },
    ),
)


class Exports:
    """The exports of one database, and the files that they refer to."""

    def __init__(self, database: Database, outbox: Outbox, files: ExportFiles) -> None:
        self._database, self._outbox, self.files = database, outbox, files
        self._exports = database.collection(EXPORTS)
        self.leases = Leases(self._exports)

    async def begin(self, export: Export, once: Once[Export]) -> Export:
        """Keep a new export, or give the one that is under way."""

        async def body(session: Session) -> Export:
            under_way = {"sub": export.sub, "due_at": {"$exists": True}}
            found = await self._exports.find_one(under_way, session=session)
            if found is None:
                await self._exports.insert_one(_document(export), session=session)
            begun = _export(found) if found else export
            await once.keep(session, begun)
            return begun

        for _ in range(RACES):
            try:
                return await self._database.transact(body)
            except DuplicateKeyError:  # two asked at this moment
                continue
        raise Conflict("Another change was made at the same moment: try again")

    async def find(self, export_id: str) -> Export | None:
        """An export, or None."""
        found = await self._exports.find_one({"_id": export_id})
        return _export(found) if found else None

    async def read(self, sub: str, export_id: str) -> Export:
        """A person's export. Raises `NotFound`, also for somebody else's."""
        export = await self.find(export_id)
        if export is None or export.sub != sub:
            raise NotFound
        return export

    async def under_way(self, sub: str) -> Export | None:
        """The export that is being made of a person, or None."""
        found = await self._exports.find_one({"sub": sub, "due_at": {"$exists": True}})
        return _export(found) if found else None

    async def running(self, export_id: str, mark: str) -> None:
        """Tell that it is being worked on."""
        await self.leases.change(export_id, mark, {"state": State.RUNNING})

    async def add_part(self, export_id: str, mark: str, service: str, part: StoredFile) -> bool:
        """Keep what a service gave; False where the export is over, or another works on it."""
        return await self.leases.change(export_id, mark, {f"parts.{service}": msgspec.structs.asdict(part)})

    async def finish(
        self, export: Export, mark: str, archive: StoredFile, told: Sequence[Message], *, now: datetime, until: datetime
    ) -> bool:
        """The archive is there, until then: tell of it. The one before it goes. False where the export is over."""
        values = {"state": State.DONE, "archive": msgspec.structs.asdict(archive), "finished_at": now}

        async def body(session: Session) -> bool:
            done = await self.leases.finish(
                export.id, mark, {**values, "expires_at": until}, ("parts",), session=session
            )
            if done:
                await self._exports.delete_many({"sub": export.sub, "_id": {"$ne": export.id}}, session=session)
                await self._outbox.add(session, *told)
            return done

        return await self._database.transact(body)

    async def fail(self, export: Export, mark: str, *, now: datetime, until: datetime) -> None:
        """Give it up, and remember that until then."""
        values = {"state": State.FAILED, "finished_at": now, "expires_at": until}

        async def body(session: Session) -> bool:
            return await self.leases.finish(export.id, mark, values, ("parts",), session=session)

        await self._database.transact(body)

    async def erase(self, sub: str) -> None:
        """Remove all exports of a person."""
        async for document in self._exports.find({"sub": sub}, {"_id": 1}):
            await self.files.remove_all(document["_id"])
        await self._exports.delete_many({"sub": sub})

    async def sweep_for_ever(self, log: Logger) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            with contextlib.suppress(DatabaseError):  # the next time
                if swept := await self.sweep(datetime.now(UTC)):
                    log.info("export.files_swept", files=swept)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def sweep(self, now: datetime) -> int:
        """Remove the files that no export refers to; returns how many."""
        swept = 0
        async for place, export_id in self.files.unclaimed(now):
            if place not in _places_of(await self.find(export_id)):
                await self.files.sweep(place)
                swept += 1
        return swept


def _places_of(export: Export | None) -> set[str]:
    if export is None:
        return set()
    files = [*export.parts.values(), *([export.archive] if export.archive else [])]
    return {file.place for file in files}


def _document(export: Export) -> Document:
    document: Document = msgspec.to_builtins(export, builtin_types=(datetime,))
    document["_id"] = document.pop("id")
    return {name: value for name, value in document.items() if value is not None}  # indexes ask whether it is there


def _export(document: Document) -> Export:
    return msgspec.convert({**document, "id": document["_id"]}, Export)
