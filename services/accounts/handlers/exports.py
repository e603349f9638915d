"""Exports of oneself: one archive of all that every service holds."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.accounts.domain.exports import Export, State, TooManyExports
from services.accounts.usecases import UseCases
from services.chassis.answers import Answer, Download
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.operations import operation
from services.chassis.problems import Conflict, NotFound

PATH = "/api/v1/accounts/me/exports"


class ExportBegun(Struct, frozen=True):
    """The id to ask for it again."""

    id: str


class ExportView(Struct, frozen=True):
    """How far an export is. `url` is where its archive can be downloaded, once it is done, until `expires_at`."""

    id: str
    state: State
    url: str | None
    size_bytes: int | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, export: Export) -> ExportView:
        """The view of an export."""
        return cls(
            id=export.id,
            state=export.state,
            url=f"{PATH}/{export.id}/archive" if export.archive else None,
            size_bytes=export.archive.size if export.archive else None,
            created_at=export.created_at,
            finished_at=export.finished_at,
            expires_at=export.expires_at,
        )


class Exports(Endpoint[UseCases]):
    """All exports of who asks."""

    @operation("requestExport", scope="account", status=202, problems=(TooManyExports, Conflict))
    async def post(self, once: Once[Export]) -> Answer[ExportBegun]:
        """Have an archive made of all that every service holds of oneself. While one is being made, it is that one."""
        once.answering(_begun)
        return _begun(await self.uses.request_export(self.caller.sub, once))


class OneExport(Endpoint[UseCases]):
    """One export."""

    @operation("readExport", scope="account", problems=(NotFound,))
    async def get(self, export_id: str) -> ExportView:
        """See how far it is."""
        return ExportView.of(await self.uses.read_export(self.caller.sub, export_id))


class Archive(Endpoint[UseCases]):
    """The archive of an export."""

    @operation("downloadExport", scope="account", problems=(NotFound,))
    async def get(self, export_id: str) -> Download:
        """Download it, or a part of it."""
        export, archive = await self.uses.read_export.archive(self.caller.sub, export_id)
        day = export.created_at.date().isoformat()
        return Download(
            lambda start, end: self.uses.read_export.content(archive, start, end),
            archive.size,
            "application/zip",
            f"runnerly-{day}.zip",
            archive.sha256,
        )


def _begun(export: Export) -> Answer[ExportBegun]:
    return Answer(ExportBegun(export.id), location=f"{PATH}/{export.id}")


ROUTES = (
    Route(PATH, Exports),
    Route(f"{PATH}/{{export_id}}", OneExport),
    Route(f"{PATH}/{{export_id}}/archive", Archive),
)
