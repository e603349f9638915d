"""Ask for an export of oneself, see how far it is, and read the archive."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.accounts.domain.exports import Export, State, StoredFile, TooManyExports
from services.accounts.store.attempts import Attempts
from services.accounts.store.exports import Exports
from services.chassis.idempotency import Once
from services.chassis.logs import Logger
from services.chassis.problems import NotFound

DAY = timedelta(days=1)
ID_BYTES = 15


@dataclass(frozen=True, slots=True)
class RequestExport:
    """Raises `TooManyExports` for who has had enough for a day. `hash_name` makes the keyed hash a counter is known by."""

    exports: Exports
    attempts: Attempts
    hash_name: Callable[[str], str]
    a_day: int
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, sub: str, once: Once[Export]) -> Export:
        """A new export, or the one that is under way."""
        now = self.clock()
        if await self.exports.under_way(sub) is None:
            count = await self.attempts.count(self.hash_name(f"exports:{sub}"), DAY, now)
            if count.number > self.a_day:
                raise TooManyExports(retry_after_s=max(1, int((count.ends_at - now).total_seconds())))
        asked = Export(secrets.token_urlsafe(ID_BYTES), sub, created_at=now, due_at=now)
        begun = await self.exports.begin(asked, once)
        if begun.id == asked.id:
            self.log.info("export.requested")
        return begun


@dataclass(frozen=True, slots=True)
class ReadExport:
    """Raises `NotFound` for what is not there, not yours, or expired."""

    exports: Exports
    clock: Callable[[], datetime]

    async def __call__(self, sub: str, export_id: str) -> Export:
        """How far it is."""
        export = await self.exports.read(sub, export_id)
        if export.expires_at is not None and export.expires_at <= self.clock():
            raise NotFound
        return export

    async def archive(self, sub: str, export_id: str) -> tuple[Export, StoredFile]:
        """The finished archive, to be read with `content`."""
        export = await self(sub, export_id)
        if export.state is not State.DONE or export.archive is None:
            raise NotFound("This export is not finished")
        return export, export.archive

    def content(self, archive: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of an archive, from one place up to another."""
        return self.exports.files.read(archive, start, end)
