"""Statistics by period: what one activity adds to its day, week, month and year.

One function says it, for writing with each change and for rebuilding from all activities. Amounts are whole numbers of
small units, so that adding and taking away cancel exactly, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Literal, TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import astuple

from services.activities.domain.sports import Sport

Period: TypeAlias = Literal["day", "week", "month", "year"]
PERIODS: tuple[Period, ...] = get_args(Period)
EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)
_DAY = timedelta(days=1)


class Bucket(Struct, frozen=True):
    """A period of one sport; `start` is its first local date."""

    period: Period
    start: date
    sport: Sport

    def within(self, period: Period) -> date:
        """The start of the period that this bucket is in, which must not be a shorter one."""
        return start_of(period, self.start)


class Amounts(Struct, frozen=True):
    """What is summed, in whole units: millimetres, milliseconds, thousandths of a point of load."""

    activities: int = 0
    distance_mm: int = 0
    moving_ms: int = 0
    elapsed_ms: int = 0
    ascent_mm: int = 0
    load_milli: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def __neg__(self) -> Amounts:
        return Amounts(*(-one for one in astuple(self)))


class Counted(Struct, frozen=True):
    """What statistics need of an activity, and nothing else."""

    local_date: date
    sport: Sport
    distance_m: float
    moving_s: float
    elapsed_s: float
    ascent_m: float | None = None
    load: float | None = None


def contribution(activity: Counted) -> dict[Bucket, Amounts]:
    """What an activity adds."""
    amounts = Amounts(
        activities=1,
        distance_mm=round(activity.distance_m * 1000),
        moving_ms=round(activity.moving_s * 1000),
        elapsed_ms=round(activity.elapsed_s * 1000),
        ascent_mm=round((activity.ascent_m or 0.0) * 1000),
        load_milli=round((activity.load or 0.0) * 1000),
    )
    return {Bucket(period, start_of(period, activity.local_date), activity.sport): amounts for period in PERIODS}


def start_of(period: Period, day: date) -> date:
    """The first day of the period that a day is in. Weeks begin on Monday."""
    match period:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)


def change(removed: Iterable[Counted] = (), added: Iterable[Counted] = ()) -> dict[Bucket, Amounts]:
    """What to add to which buckets when these activities go and those come; what cancels is left out."""
    total: dict[Bucket, Amounts] = {}
    for bucket, amounts in _all(removed, added):
        total[bucket] = total.get(bucket, Amounts()) + amounts
    return {bucket: amounts for bucket, amounts in total.items() if any(astuple(amounts))}


def _all(removed: Iterable[Counted], added: Iterable[Counted]) -> Iterator[tuple[Bucket, Amounts]]:
    for activity in added:
        yield from contribution(activity).items()
    for activity in removed:
        yield from ((bucket, -amounts) for bucket, amounts in contribution(activity).items())


def on_our_calendar(first: date | None, last: date | None) -> tuple[date | None, date | None]:
    """A range of days without those so far off that a calendar ends there; no activity is in them."""
    return (
        None if first is None else min(max(first, EARLIEST), LATEST),
        None if last is None else max(min(last, LATEST), EARLIEST),
    )


class Stretch(Struct, frozen=True):
    """Buckets of one kind of period whose starts are from `first` to `last`, both included; None is without end."""

    period: Period
    first: date | None
    last: date | None


def stretches(by: Period, first: date | None, last: date | None) -> tuple[Stretch, ...]:
    """Which buckets hold exactly the days from `first` to `last`: whole periods, and days where one is cut.

    None is without end. Nothing where `last` is before `first`.
    """
    if first is not None and last is not None and last < first:
        return ()
    begin = start_of(by, first) if first else None
    end = start_of(by, last) if last else None
    cut_at_begin = first is not None and begin != first
    cut_at_end = last is not None and next_start(by, end or last) - _DAY != last
    if first is not None and last is not None and begin == end and (cut_at_begin or cut_at_end):
        return (Stretch("day", first, last),)
    found = []
    if first is not None and begin is not None and cut_at_begin:
        begin = next_start(by, begin)
        found.append(Stretch("day", first, begin - _DAY))
    if last is not None and end is not None and cut_at_end:
        found.append(Stretch("day", end, last))
        end -= _DAY
    if begin is None or end is None or begin <= end:
        found.append(Stretch(by, begin, end))
    return tuple(found)


def next_start(period: Period, start: date) -> date:
    """The first day of the period after the one that starts on this day."""
    match period:
        case "day":
            return start + _DAY
        case "week":
            return start + timedelta(days=7)
        case "month":
            return (start + timedelta(days=31)).replace(day=1)
        case "year":
            return start.replace(year=start.year + 1)
