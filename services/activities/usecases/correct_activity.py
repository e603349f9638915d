"""Correcting what a file said, or saying what no file can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.activities.domain.activity import Activity
from services.activities.domain.corrections import Correction, corrected
from services.activities.store.activities import ActivityStore


@dataclass(frozen=True, slots=True)
class CorrectActivity:
    """Change an activity."""

    store: ActivityStore
    clock: Callable[[], datetime]

    async def __call__(self, owner: str, activity_id: str, correction: Correction, expected: int | None) -> Activity:
        """The activity after it. Raises `NotFound`, `Stale`, `Invalid`."""
        now = self.clock()
        return await self.store.correct(
            owner, activity_id, lambda activity: corrected(activity, correction, now), expected
        )
