"""Following an import: how far it is, now and as it goes on; and stopping it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime

from services.activities.domain.imports import Import
from services.activities.store.imports import ImportStore
from services.chassis.live import EventLog
from services.chassis.problems import NotFound

AT_MOST_EACH_S = 0.25


def stream_of(import_id: str) -> str:
    """The name under which whoever follows an import is woken."""
    return f"imports.{import_id}"


@dataclass(frozen=True, slots=True)
class FollowImports:
    """The imports of a runner."""

    store: ImportStore
    live: EventLog
    clock: Callable[[], datetime]

    async def list(self, owner: str) -> list[Import]:
        """The latest, newest first."""
        return await self.store.recent(owner)

    async def read(self, owner: str, import_id: str) -> Import:
        """One import. Raises `NotFound`."""
        return await self.store.read(owner, import_id)

    async def follow(self, owner: str, import_id: str, after: int) -> AsyncGenerator[Import, None]:
        """An import each time it has come further than this version, until it has ended or is gone."""
        async with contextlib.aclosing(self.live.looks(stream_of(import_id))) as looks:
            async for _ in looks:
                try:
                    state = await self.store.read(owner, import_id)
                except NotFound:
                    return
                if state.version > after:
                    after = state.version
                    yield state
                if state.ended:
                    return
                await asyncio.sleep(AT_MOST_EACH_S)

    async def stop(self, owner: str, import_id: str) -> None:
        """Stop an import: what it has added stays. Raises `NotFound`."""
        await self.store.stop(owner, import_id, self.clock())
        await self.live.wake(stream_of(import_id))
