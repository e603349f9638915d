"""Summing up what was done: period by period, in records, and in what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.activities.domain.fitness import REMEMBERED, Form, form_along
from services.activities.domain.records import Achievement
from services.activities.domain.roll_ups import EARLIEST, LATEST, Amounts, Period
from services.activities.domain.sports import Sport
from services.activities.store.finding import Finder
from services.chassis.problems import Invalid

LONGEST = timedelta(days=20 * 366)


@dataclass(frozen=True, slots=True)
class SumUp:
    """Statistics of a runner's activities."""

    finder: Finder

    async def __call__(
        self, owner: str, by: Period, first: date | None, last: date | None, sport: Sport | None
    ) -> Mapping[date, Amounts]:
        """What was done in each period, by its first day, oldest first; exactly of the days from first to last."""
        return await self.finder.totals(owner, by, first, last, sport)


@dataclass(frozen=True, slots=True)
class RecordsOf:
    """The best efforts over all runs of a runner."""

    finder: Finder

    async def __call__(self, owner: str) -> list[tuple[float, Achievement]]:
        """Each distance with its best, the shortest first."""
        return await self.finder.records(owner)


@dataclass(frozen=True, slots=True)
class FitnessOf:
    """What training has left behind, day by day."""

    finder: Finder
    clock: Callable[[], datetime]

    async def __call__(self, owner: str, first: date | None, last: date | None) -> list[Form]:
        """Every day from first to last: by default from the first activity until today, the last twenty years at the most.

        Raises `Invalid` for more than that.
        """
        extent = await self.finder.extent(owner)
        if extent is None:
            return []
        begin = extent.oldest.date() - timedelta(days=1)  # where it was, it may have been the day before
        last = min(last, LATEST) if last else self.clock().date()
        first = max(first, EARLIEST) if first else max(begin, last - LONGEST)
        if last - first > LONGEST:
            raise Invalid.field("from", "Ask for at most 20 years at once")
        begin = max(begin, first - REMEMBERED)
        loads = await self.finder.day_loads(owner, begin, last)
        return form_along(loads, begin, first, last)
