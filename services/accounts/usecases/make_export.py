"""Make an export: have every owner give all it holds of the person, and pack it into one archive.

What an owner gave is kept: after a crash, and while one of them is away, only the others are asked again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.accounts import events
from services.accounts.archiving import BadPart, pack
from services.accounts.clients.owners import Owners
from services.accounts.domain.exports import GIVE_UP_AFTER, Export, StoredFile
from services.accounts.store.accounts import Accounts
from services.accounts.store.export_files import Overtaken
from services.accounts.store.exports import Exports
from services.chassis.bus.retry import Retry
from services.chassis.http_answers import PeerRefused, PeerUnavailable
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics

END_OF_TAR = bytes(1024)
PATIENCE = Retry(first_s=2.0, most_s=600.0)


@dataclass(frozen=True, slots=True)
class MakeExport:
    """Works on one export at a time: safe to repeat, and to be killed."""

    exports: Exports
    accounts: Accounts
    owners: Owners
    kept_for: timedelta
    clock: Callable[[], datetime]
    log: Logger
    metrics: Metrics

    async def __call__(self, export_id: str) -> None:
        """Go on with an export, to its end where every owner answers; else it is put off."""
        async with self.exports.leases.taken(export_id) as mark:
            export = await self.exports.find(export_id) if mark else None
            if mark is None or export is None:
                return
            await self.exports.running(export.id, mark)
            begun = time.perf_counter()
            if not await self._collect(export, mark):
                await self._put_off(export, mark)
                return
            try:
                await self._pack(export_id, mark, begun)
            except BadPart as reason:  # a defect of a service: it may be mended before we give up
                self.log.exception("export.broken", reason=str(reason), failures=export.failures)
                await self._put_off(export, mark, forget=("parts",))

    async def _collect(self, export: Export, mark: str) -> bool:
        """Have every owner give its part that has not yet; whether all have."""
        complete = True
        for owner in self.owners.names:
            if owner in export.parts:
                continue
            try:
                part = await self._part_of(owner, export)
            except (PeerUnavailable, PeerRefused, BadPart) as reason:
                self.log.warning("export.deferred", asked=owner, reason=str(reason), failures=export.failures)
                complete = False
                continue
            if not await self.exports.add_part(export.id, mark, owner, part):
                await self.exports.files.remove(part.place)
                return False
        return complete

    async def _part_of(self, owner: str, export: Export) -> StoredFile:
        """What an owner gives, put away as it is. Raises `BadPart` where it does not end as an archive does."""
        end = b""
        async with self.exports.files.writing(export.id) as file:
            async with self.owners.takeout(owner, export.sub) as pieces:
                async for piece in pieces:
                    await file.write(piece)
                    end = (end + piece[-len(END_OF_TAR) :])[-len(END_OF_TAR) :]
            if end != END_OF_TAR:
                raise BadPart(f"What {owner} gives ends too early")
            return await file.close()

    async def _pack(self, export_id: str, mark: str, begun: float) -> None:
        export = await self.exports.find(export_id)
        if export is None:
            return
        parts = {owner: self.exports.files.read(part) for owner, part in export.parts.items()}
        with contextlib.suppress(Overtaken):
            async with self.exports.files.writing(export.id) as file:
                manifest = await pack(parts, file.write, self.clock())
                archive = await file.close()
                await self._finish(export, mark, archive)
            ms = (time.perf_counter() - begun) * 1000
            self.metrics.timing("exports.made", ms)
            self.log.info("export.ready", files=len(manifest.files), bytes=archive.size, ms=round(ms))
        for part in export.parts.values():
            await self.exports.files.remove(part.place)

    async def _finish(self, export: Export, mark: str, archive: StoredFile) -> None:
        """Tell the person. Raises `Overtaken` where they were deleted meanwhile, or another finished it."""
        account, now = await self.accounts.find(export.sub), self.clock()
        told = [events.export_ready(account, export.id, self.kept_for.days)] if account else []
        if not told or not await self.exports.finish(export, mark, archive, told, now=now, until=now + self.kept_for):
            raise Overtaken

    async def _put_off(self, export: Export, mark: str, *, forget: tuple[str, ...] = ()) -> None:
        now = self.clock()
        if now > export.created_at + GIVE_UP_AFTER:
            await self.exports.fail(export, mark, now=now, until=now + self.kept_for)
            self.log.error("export.failed", failures=export.failures)
            return
        wait = timedelta(seconds=PATIENCE.delay_s(export.failures + 1))
        await self.exports.leases.put_off(export.id, mark, now + wait, forget=forget)
