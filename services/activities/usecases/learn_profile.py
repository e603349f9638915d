"""Learning what a runner's profile says of their body: the load of all their activities depends on it."""

from __future__ import annotations

from dataclasses import dataclass

from services.activities.domain.physiology import Physiology
from services.activities.store.activities import ActivityStore
from services.chassis.tombstones import Tombstones


@dataclass(frozen=True, slots=True)
class LearnProfile:
    """Keep what a profile says, and weigh everything again. It is safe to be told the same twice."""

    store: ActivityStore
    tombstones: Tombstones

    async def __call__(self, owner: str, physiology: Physiology) -> None:
        """Return when all activities are weighed. What comes late of a person who was deleted is dropped."""
        if not await self.tombstones.holds(owner):
            await self.store.learn(owner, physiology)
