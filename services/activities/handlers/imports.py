"""Imports of archives: bring one, see how far it is, follow it, stop it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from msgspec import Struct

from services.activities.domain.imports import ArchiveKind, Failure, Import, State
from services.activities.domain.problems import NotAnArchive
from services.activities.handlers.activities import READ, WRITE
from services.activities.usecases import UseCases
from services.activities.usecases.bring_archive import ReceivedArchive
from services.chassis.answers import Answer, Event, EventStream, Page
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.intake import Sink
from services.chassis.operations import operation
from services.chassis.paging import PageQuery
from services.chassis.problems import TooMany

PATH = "/api/v1/imports"


class ImportView(Struct, frozen=True):
    """An import. Of `total` files `done` are done with: added, duplicates, skipped (of a kind that is no activity) or failed.

    `failed` tells the reasons of the first thousand of `failures`; `reason` is why the import as a whole failed.
    """

    id: str
    state: State
    kind: ArchiveKind
    total: int
    done: int
    added: int
    duplicates: int
    skipped: int
    failures: int
    failed: tuple[Failure, ...]
    reason: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Import) -> ImportView:
        """The view of an import."""
        return msgspec.convert(one, cls, from_attributes=True)


class Imports(Endpoint[UseCases]):
    """All imports of a runner."""

    def intake(self) -> Sink:
        """Where the archive goes while it comes."""
        return self.uses.bring_archive.receive(self.caller.sub)

    @operation("listImports", scope=READ)
    async def get(self, query: PageQuery) -> Page[ImportView]:
        """List the latest imports, newest first."""
        return self.page_of_all(query, [ImportView.of(one) for one in await self.uses.imports.list(self.caller.sub)])

    @operation("importArchive", scope=WRITE, status=202, problems=(NotAnArchive, TooMany))
    async def post(self, received: ReceivedArchive, once: Once[Import]) -> Answer[ImportView]:
        """Import an archive: a ZIP of files, the export of Strava or Garmin, or a takeout of Runnerly.

        It is imported in the background; what it is, its content tells.
        """
        return accepted(await self.uses.bring_archive(self.caller.sub, received, once.answering(accepted)))


class OneImport(Endpoint[UseCases]):
    """One import."""

    @operation("readImport", scope=READ)
    async def get(self, import_id: str) -> Answer[ImportView]:
        """Read how far an import is."""
        one = await self.uses.imports.read(self.caller.sub, import_id)
        return Answer(ImportView.of(one), version=one.version)

    @operation("stopImport", scope=WRITE)
    async def delete(self, import_id: str) -> None:
        """Stop an import: what it has added stays, its archive goes. One that has ended stays as it is."""
        await self.uses.imports.stop(self.caller.sub, import_id)


class ImportEvents(Endpoint[UseCases]):
    """An import as it goes on."""

    @operation("followImport", scope=READ)
    async def get(self, import_id: str) -> EventStream:
        """Follow an import: each event is the import as it is then; the last one is of its end."""
        await self.uses.imports.read(self.caller.sub, import_id)
        return EventStream(self._events(import_id))

    async def _events(self, import_id: str) -> AsyncIterator[Event]:
        async for one in self.uses.imports.follow(self.caller.sub, import_id, self.last_event_id):
            yield Event(ImportView.of(one), id=str(one.version))


def accepted(one: Import) -> Answer[ImportView]:
    """A new import as an answer, with its place."""
    return Answer(ImportView.of(one), version=one.version, location=f"{PATH}/{one.id}")


ROUTES = (
    Route(PATH, Imports),
    Route(f"{PATH}/{{import_id}}", OneImport),
    Route(f"{PATH}/{{import_id}}/events", ImportEvents),
)
