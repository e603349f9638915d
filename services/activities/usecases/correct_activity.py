"""Correcting what a file said, or saying what no file can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET

from services.activities.domain.activity import Activity
from services.activities.domain.corrections import Correction, corrected
from services.activities.domain.problems import NotAnActivity
from services.activities.domain.sports import Sport
from services.activities.parsers.parsed import Reading
from services.activities.parsers.pool import ParserPool
from services.activities.store.activities import ActivityStore


@dataclass(frozen=True, slots=True)
class CorrectActivity:
    """Change an activity."""

    store: ActivityStore
    parsers: ParserPool
    clock: Callable[[], datetime]

    async def __call__(self, owner: str, activity_id: str, correction: Correction, expected: int | None) -> Activity:
        """The activity after it. Raises `NotFound`, `Stale`, `Invalid`.

        In another sport the same file means other numbers: steps are counted by the leg, and slow is not standing.
        """
        now = self.clock()
        reading = None if correction.sport is UNSET else await self._in_sport(owner, activity_id, correction.sport)
        return await self.store.correct(
            owner, activity_id, lambda activity: corrected(activity, correction, now), expected, reading
        )

    async def _in_sport(self, owner: str, activity_id: str, sport: Sport) -> Reading | None:
        """What was measured, read as of this sport; None where it is of it already, or was entered by hand."""
        before = await self.store.read(owner, activity_id)
        if before.sport == sport or before.source.kind == "manual":
            return None
        _, content = await self.store.original(owner, activity_id)
        try:
            parsed = await self.parsers.parse(content, {before.session: sport})
        except NotAnActivity:  # we could read it once: the sport is said all the same
            return None
        return parsed.session(before.session)
