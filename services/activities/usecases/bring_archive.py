"""Bringing an archive: put it away while it comes, look into it, and have it imported in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, TypeAlias

from services.activities.archives.plans import plan_of
from services.activities.archives.zips import Limits
from services.activities.domain.imports import ArchiveKind, Import
from services.activities.domain.local_time import kept
from services.activities.store.archives import Archives, Arriving
from services.activities.store.imports import ImportStore
from services.activities.usecases.newcomers import refuse_deleted
from services.chassis.idempotency import Once
from services.chassis.intake import Received
from services.chassis.logs import Logger
from services.chassis.problems import TooMany
from services.chassis.tombstones import Tombstones

RETRY_AFTER_S = 60
ReceivedArchive: TypeAlias = Received[Arriving]


@dataclass(frozen=True, slots=True)
class BringArchive:
    """Accept an archive."""

    archives: Archives
    imports: ImportStore
    tombstones: Tombstones
    limits: Limits
    at_once: int
    new_id: Callable[[], str]
    clock: Callable[[], datetime]
    log: Logger

    def receive(self, owner: str) -> Arriving:
        """Where an archive goes while it comes."""
        return self.archives.arriving(owner)

    async def __call__(self, owner: str, received: ReceivedArchive, once: Once[Import]) -> Import:
        """The import, which waits to be worked on. Raises `NotAnArchive`, `TooMany`."""
        await refuse_deleted(self.tombstones, owner)
        if await self.imports.going_on(owner) >= self.at_once:
            raise TooMany(
                f"You have {self.at_once} imports that go on: wait for one to end", retry_after_s=RETRY_AFTER_S
            )
        arriving = received.take()
        try:
            place = await arriving.whole()
            kind, total = await asyncio.to_thread(self._look_into, await self.archives.open(place))
            now = kept(self.clock())
            new = Import(
                id=self.new_id(),
                owner=owner,
                version=1,
                state="waiting",
                kind=kind,
                total=total,
                created_at=now,
                updated_at=now,
            )
            await self.imports.add(new, place, once)
        except BaseException:
            await arriving.abandon()
            raise
        self.log.info("import.accepted", import_id=new.id, kind=kind, files=total, bytes=received.size)
        return new

    def _look_into(self, file: BinaryIO) -> tuple[ArchiveKind, int]:
        plan = plan_of(file, self.limits)
        try:
            return plan.kind, len(plan.items)
        finally:
            plan.close()
