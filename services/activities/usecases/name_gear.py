"""Gear by the name that another place has for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.activities.domain.gear import Gear
from services.activities.domain.labels import GearSaid
from services.activities.domain.local_time import kept
from services.activities.domain.plain_text import plain
from services.activities.store.gear import GearStore
from services.chassis.problems import Invalid

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class NameGear:
    """Find it among a runner's, or add it."""

    gear: GearStore
    new_id: Callable[[], str]
    clock: Callable[[], datetime]

    async def __call__(self, owner: str, said: GearSaid) -> str | None:
        """Its id; None where it has no name, or where there can't be more gear."""
        name = plain(said.name, LONGEST_NAME, lines=False)
        if not name:
            return None
        now = kept(self.clock())
        wanted = Gear(
            id=self.new_id(),
            owner=owner,
            version=1,
            kind=said.kind or "shoes",
            name=name,
            created_at=now,
            updated_at=now,
            retire_at_m=said.retire_at_m,
            withdrawn=said.retired,
            default_for=said.default_for,
        )
        try:
            return await self.gear.named(wanted)
        except Invalid:
            return None
