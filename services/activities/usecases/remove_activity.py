"""Removing an activity, its file and what it added to the statistics."""

from __future__ import annotations

from dataclasses import dataclass

from services.activities.store.activities import ActivityStore


@dataclass(frozen=True, slots=True)
class RemoveActivity:
    """Remove an activity for good. Its file goes with the next sweep."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str, expected: int | None) -> None:
        """Raises `NotFound`, `Stale`."""
        await self.store.remove(owner, activity_id, expected)
