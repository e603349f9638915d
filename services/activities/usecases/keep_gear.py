"""Keeping gear: shoes and bikes, how far they have come, and which sport gets which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.activities.domain.gear import Gear, GearChange, NewGear, changed, made
from services.activities.domain.local_time import kept
from services.activities.store.gear import GearStore
from services.activities.usecases.newcomers import refuse_deleted
from services.chassis.idempotency import Once
from services.chassis.tombstones import Tombstones


@dataclass(frozen=True, slots=True)
class KeepGear:
    """A runner's gear."""

    store: GearStore
    tombstones: Tombstones
    new_id: Callable[[], str]
    clock: Callable[[], datetime]

    async def list(self, owner: str) -> list[Gear]:
        """All of it: what is in use first, by name."""
        return await self.store.all_of(owner)

    async def read(self, owner: str, gear_id: str) -> Gear:
        """One piece. Raises `NotFound`."""
        return await self.store.read(owner, gear_id)

    async def add(self, owner: str, new: NewGear, once: Once[Gear]) -> Gear:
        """One piece more. Raises `Invalid`."""
        await refuse_deleted(self.tombstones, owner)
        return await self.store.add(made(new, owner=owner, gear_id=self.new_id(), now=self.clock()), once)

    async def change(self, owner: str, gear_id: str, change: GearChange, expected: int | None) -> Gear:
        """The piece after a change. Raises `NotFound`, `Stale`, `Invalid`."""
        now = self.clock()
        return await self.store.change(owner, gear_id, lambda gear: changed(gear, change, now), expected)

    async def remove(self, owner: str, gear_id: str, expected: int | None) -> None:
        """Remove a piece; activities have none then. Raises `NotFound`, `Stale`."""
        await self.store.remove(owner, gear_id, expected, kept(self.clock()))
