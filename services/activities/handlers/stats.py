"""Statistics: by period, records, and what training leaves behind."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct, field

from services.activities.domain.fitness import Form
from services.activities.domain.roll_ups import Period
from services.activities.domain.sports import Sport
from services.activities.handlers.activities import READ
from services.activities.handlers.views import RecordView, StatsView
from services.activities.usecases import UseCases
from services.chassis.answers import Items
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation


class StatsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which periods, of which days and sport."""

    by: Period
    first: Annotated[date | None, Meta(description="From this local date on")] = field(default=None, name="from")
    last: Annotated[date | None, Meta(description="To this local date, included")] = field(default=None, name="to")
    sport: Sport | None = None


class Stats(Endpoint[UseCases]):
    """What was done, period by period."""

    @operation("readStats", scope=READ, kept=True)
    async def get(self, query: StatsQuery) -> Items[StatsView]:
        """Sum up activities by day, week, month or year, oldest first, empty periods left out.

        An activity counts on its own local date, wherever it was. Weeks start on Monday. Days before `from` and after
        `to` do not count, also where they are in the same period.
        """
        totals = await self.uses.sum_up(self.caller.sub, query.by, query.first, query.last, query.sport)
        return Items([StatsView.of(period, amounts) for period, amounts in totals.items()])


class Records(Endpoint[UseCases]):
    """Personal records."""

    @operation("readRecords", scope=READ, kept=True)
    async def get(self) -> Items[RecordView]:
        """List the fastest stretch of each usual distance over all runs, the shortest distance first."""
        return Items(
            [RecordView.of(distance_m, best) for distance_m, best in await self.uses.records_of(self.caller.sub)]
        )


class DaysQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which days."""

    first: Annotated[date | None, Meta(description="From this date; from the first activity unless given")] = field(
        default=None, name="from"
    )
    last: Annotated[date | None, Meta(description="To this date, included; to today unless given")] = field(
        default=None, name="to"
    )


class Fitness(Endpoint[UseCases]):
    """Fitness, fatigue and form."""

    @operation("readFitness", scope=READ)
    async def get(self, query: DaysQuery) -> Items[Form]:
        """List days with their load, and what is left of all loads until then.

        Fitness and fatigue are moving averages of the load of days, with time constants of 42 and 7 days; form is the
        first less the second.
        """
        return Items(await self.uses.fitness_of(self.caller.sub, query.first, query.last))


ROUTES = (
    Route("/api/v1/stats", Stats),
    Route("/api/v1/stats/records", Records),
    Route("/api/v1/stats/fitness", Fitness),
)
