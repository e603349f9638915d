"""Keeping privacy zones: places that nobody else sees one begin or end at, or pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from services.activities.domain.local_time import kept
from services.activities.domain.privacy import NewZone, PrivacyZone, zone_of
from services.activities.store.sharing import ZoneStore
from services.activities.usecases.newcomers import refuse_deleted
from services.chassis.idempotency import Once
from services.chassis.tombstones import Tombstones


@dataclass(frozen=True, slots=True)
class KeepZones:
    """A runner's privacy zones. `key` decides, for good, where the hidden circle of a place lies."""

    store: ZoneStore
    tombstones: Tombstones
    key: bytes
    new_id: Callable[[], str]
    clock: Callable[[], datetime]

    async def list(self, owner: str) -> list[PrivacyZone]:
        """All of them, by name."""
        return await self.store.all_of(owner)

    async def add(self, owner: str, new: NewZone, once: Once[PrivacyZone]) -> PrivacyZone:
        """One more. Raises `Invalid`."""
        await refuse_deleted(self.tombstones, owner)
        zone = zone_of(new, owner=owner, zone_id=self.new_id(), now=kept(self.clock()), key=self.key)
        return await self.store.add(zone, once)

    async def restore(self, owner: str, zones: Iterable[NewZone]) -> None:
        """Those of a takeout that the runner does not have yet. Raises `Invalid` where there would be too many."""
        have = {(zone.circle.lat, zone.circle.lon, zone.circle.radius_m) for zone in await self.list(owner)}
        for new in zones:
            if (new.lat, new.lon, new.radius_m) not in have:
                await self.add(owner, new, Once())

    async def remove(self, owner: str, zone_id: str) -> None:
        """Remove one. Raises `NotFound`."""
        await self.store.remove(owner, zone_id)
