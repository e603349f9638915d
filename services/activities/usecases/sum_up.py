"""Summing up what was done, period by period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.activities.domain.roll_ups import Amounts, Period
from services.activities.domain.sports import Sport
from services.activities.store.finding import Finder


@dataclass(frozen=True, slots=True)
class SumUp:
    """Statistics of a runner's activities."""

    finder: Finder

    async def __call__(
        self, owner: str, by: Period, first: date | None, last: date | None, sport: Sport | None
    ) -> Mapping[date, Amounts]:
        """What was done in each period, by its first day, oldest first; exactly of the days from first to last."""
        return await self.finder.totals(owner, by, first, last, sport)
