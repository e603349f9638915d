"""Personal records: the best effort of each usual distance over all runs, kept in step with them.

Of each distance the best few are kept, so that when the best goes (its run was no run, or is deleted) the next is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TypeAlias

from msgspec import Struct

from services.activities.domain.sports import Sport

KEPT = 10
SPORT: Sport = "running"


class Achievement(Struct, frozen=True, order=True):
    """One best effort of one run. The better one is the lesser; of equal ones, the earlier."""

    elapsed_s: float
    achieved_on: date
    activity_id: str


class Ladder(Struct, frozen=True):
    """The best of a distance, the best first; `all` says whether there are none but these."""

    best: tuple[Achievement, ...] = ()
    all: bool = True

    def with_one(self, one: Achievement) -> Ladder:
        """The ladder when this one comes."""
        if not self.all and (not self.best or one > self.best[-1]):
            return self  # others that are not kept may be better than this one
        best = sorted({*self.best, one})
        return Ladder(tuple(best[:KEPT]), all=self.all and len(best) <= KEPT)

    def without(self, activity_id: str) -> Ladder:
        """The ladder when the efforts of this activity go."""
        return Ladder(tuple(one for one in self.best if one.activity_id != activity_id), all=self.all)

    @property
    def is_lost(self) -> bool:
        """Whether nobody knows which is the best: all runs have to be looked at."""
        return not self.best and not self.all


Ladders: TypeAlias = Mapping[float, Ladder]


class Runs(Struct, frozen=True):
    """What records need of an activity: whose efforts, when, and how long each distance took."""

    id: str
    sport: Sport
    local_date: date
    efforts: tuple[tuple[float, float], ...] = ()


def changed(ladders: Ladders, removed: Iterable[Runs], added: Iterable[Runs]) -> Ladders:
    """The ladders after a change of activities; the very same where it changes nothing."""
    gone, come = list(removed), list(added)
    after = dict(ladders)
    for activity in (one for one in gone if one not in come):
        for distance_m, _ in _counting(activity):
            after[distance_m] = after.get(distance_m, Ladder()).without(activity.id)
    for activity in (one for one in come if one not in gone):
        for distance_m, elapsed_s in _counting(activity):
            one = Achievement(elapsed_s, activity.local_date, activity.id)
            after[distance_m] = after.get(distance_m, Ladder()).with_one(one)
    kept = {distance_m: ladder for distance_m, ladder in after.items() if ladder != Ladder()}
    return ladders if kept == ladders else kept


def _counting(activity: Runs) -> tuple[tuple[float, float], ...]:
    return activity.efforts if activity.sport == SPORT else ()
