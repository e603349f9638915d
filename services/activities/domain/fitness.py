"""Fitness, fatigue and form: what load leaves behind, day by day (Banister 1975; the time constants of Coggan).

Each is a moving average of the load of days, the near ones counting most: `c += (load - c) (1 - e^(-1/tau))`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta

from msgspec import Struct

FITNESS_DAYS, FATIGUE_DAYS = 42, 7
REMEMBERED = timedelta(days=730)  # what was before has less than 3e-8 of its weight left

_GAIN_FITNESS, _GAIN_FATIGUE = (1 - math.exp(-1 / days) for days in (FITNESS_DAYS, FATIGUE_DAYS))
_DAY = timedelta(days=1)


class Form(Struct, frozen=True):
    """A day: its load, and at its end fitness, fatigue and their difference."""

    date: date
    load: float
    fitness: float
    fatigue: float
    form: float


def form_along(loads: Mapping[date, float], begin: date, first: date, last: date) -> list[Form]:
    """Every day from `first` to `last`; the averages start from nothing on the day `begin`, before which nothing was."""
    days: list[Form] = []
    fitness = fatigue = 0.0
    day = min(begin, first)
    while day <= last:
        load = loads.get(day, 0.0)
        fitness += (load - fitness) * _GAIN_FITNESS
        fatigue += (load - fatigue) * _GAIN_FATIGUE
        if day >= first:
            days.append(Form(day, load, round(fitness, 2), round(fatigue, 2), round(fitness - fatigue, 2)))
        day += _DAY
    return days
