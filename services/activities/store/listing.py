"""One list of one runner from one position on, as the queries that find it.

Queries are bounded on both sides by what an index is ordered by, and have no `$or`: not every server that speaks
MongoDB's protocol reads an index backwards, or stops at a limit, so we ask for little more than is shown: a list goes
along what it is ordered by in windows, as wide as it is dense there. All bounds are strict: SecantusDB 0.7.0b3 leaves
out documents on a bound that is included, where the index goes on behind the bounded field.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from services.activities.domain.listing import Order, Position, Wanted
from services.activities.domain.roll_ups import on_our_calendar
from services.activities.store.documents import Extent
from services.chassis.mongo import ASCENDING, DESCENDING, Document

# The clocks of the earth are at most so far ahead of UTC, and behind it.
_AHEAD, _BEHIND = timedelta(hours=14), timedelta(hours=12)
BY_START = "started_at"
_A_DAY = timedelta(days=1)
_SPARE = 2
_FIRST_MONTHS, _MORE_MONTHS = 4, 3
_WIDER_BEHIND_NONE, _WIDER_BEHIND_SOME, _NARROWER = 3.0, 1.5, 0.25
_NARROWEST_S, _NARROWEST = 3600.0, 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of a list, the values over `since` up to `until`, and how much of it to look at first."""

    since: float
    until: float
    width: float


@dataclass(frozen=True, slots=True)
class Months:
    """Some months of the catalogue, and the start that nothing in the months after them is before, in the list's order."""

    first: date
    last: date
    settled: datetime

    def __iter__(self) -> Iterator[date]:
        """The first day of each."""
        month = self.first.replace(day=1)
        while month <= self.last:
            yield month
            month = _months_later(month, 1)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list. What it is ordered by is a number here: metres, seconds, or for the start Unix seconds."""

    owner: str
    wanted: Wanted
    field: str
    direction: int
    after: Position | None

    @classmethod
    def of(cls, owner: str, wanted: Wanted, order: Order, after: Position | None) -> Listing:
        """The list in this order."""
        first, last = on_our_calendar(wanted.first, wanted.last)
        direction = DESCENDING if order.startswith("-") else ASCENDING
        return cls(
            owner, msgspec.structs.replace(wanted, first=first, last=last), order.removeprefix("-"), direction, after
        )

    @property
    def has_dates(self) -> bool:
        """Whether it is bounded by local dates."""
        return self.wanted.first is not None or self.wanted.last is not None

    @property
    def is_along_an_index(self) -> bool:
        """Whether windows find it; not what is chosen by something that the order says nothing of."""
        return not self.wanted.words and (self.field == BY_START or not self.has_dates)

    def tied(self) -> Document:
        """Those with the very value of the position, and an id beyond its."""
        if self.after is None:
            raise ValueError("nothing is tied with no position")
        further = "$lt" if self.direction == DESCENDING else "$gt"
        return {**self._matching(), self.field: self.after.value, "_id": {further: self.after.id}}

    def first_window(self, extent: Extent, limit: int) -> Window | None:
        """Where to look first beyond the position; None where there can be nothing.

        It holds about twice as many activities as are needed, where it is as dense as the page before was, or as on
        average. Dates are left to `has`.
        """
        since, until = self._span(extent)
        return Window(since, until, self._first_width(extent, limit, until - since)) if since < until else None

    def next_window(self, window: Window, found: int, missing: int) -> Window | None:
        """Where to look next, after so many were found in a window and as many are missing; None behind the last.

        Where nothing was, the next is much wider. Where something was, it is as wide as what is missing needs, and not
        much wider than the one before: it may become dense, as it does below the longest runs.
        """
        low, high = self._edges(window)
        since, until = (window.since, low) if self.direction == DESCENDING else (high, window.until)
        factor = min(_WIDER_BEHIND_SOME, max(missing / found * _SPARE, _NARROWER)) if found else _WIDER_BEHIND_NONE
        return Window(since, until, window.width * factor) if since < until else None

    def within(self, window: Window) -> Document:
        """The query for what is wanted in a window."""
        return {**self._matching(), self.field: self._between(*self._edges(window))}

    def _edges(self, window: Window) -> tuple[float, float]:
        if self.direction == DESCENDING:
            return max(window.until - window.width, window.since), window.until
        return window.since, min(window.since + window.width, window.until)

    def in_order(self, entries: Iterable[Any]) -> list[tuple[Any, str]]:
        """What these are ordered by, and their ids, in order, after the position."""
        keys = sorted(((getattr(one, self.field), one.id) for one in entries), reverse=self.direction == DESCENDING)
        if self.after is None:
            return keys
        place = (self.after.value, self.after.id)
        return [key for key in keys if (key < place if self.direction == DESCENDING else key > place)]

    def months(self, extent: Extent) -> Iterator[Months]:
        """The months that there is anything wanted in, from where the list begins, more of them each time.

        An activity is in the month of its local date, and a list by start goes by when that was on earth.
        """
        since, until = (datetime.fromtimestamp(at, UTC).date() for at in self._span(extent))
        first, last = since - _A_DAY, until + _A_DAY
        some = _FIRST_MONTHS
        while first <= last:
            if self.direction == DESCENDING:
                begin = max(first, _months_later(last.replace(day=1), 1 - some))
                yield Months(begin, last, datetime.combine(begin.replace(day=1), time(), UTC) + _BEHIND)
                last = begin.replace(day=1) - _A_DAY
            else:
                end = min(last, _months_later(first.replace(day=1), some) - _A_DAY)
                behind = _months_later(end.replace(day=1), 1)
                yield Months(first, end, datetime.combine(behind, time(), UTC) - _AHEAD)
                first = behind
            some *= _MORE_MONTHS

    def is_settled(self, start: datetime, months: Months) -> bool:
        """Whether nothing in the months after these comes before an activity of this start."""
        return start > months.settled if self.direction == DESCENDING else start < months.settled

    def position(self, shown: list[Document]) -> Position:
        """The position after these, the last of which it is, and how wide a page they were."""
        first, last = _number(shown[0][self.field]), _number(shown[-1][self.field])
        return Position(shown[-1][self.field], shown[-1]["_id"], abs(first - last))

    def has(self, document: Document) -> bool:
        """Whether an activity is of the wanted local dates."""
        day, first, last = document["local_date"], self.wanted.first, self.wanted.last
        return (first is None or day >= first.isoformat()) and (last is None or day <= last.isoformat())

    def _first_width(self, extent: Extent, limit: int, span: float) -> float:
        if extent.activities <= limit * _SPARE:
            return span
        narrowest = _NARROWEST_S if self.field == BY_START else _NARROWEST
        if self.after is not None and self.after.page_width is not None:
            # the longest and farthest are few: behind each page of them it is denser
            share = _SPARE if self.field == BY_START else _NARROWER
            return max(self.after.page_width * share, narrowest)
        whole = self._values(extent)
        return max((whole[1] - whole[0]) / extent.activities * limit * _SPARE, narrowest)

    def _values(self, extent: Extent) -> tuple[float, float]:
        """Just under the least value there is, and the greatest."""
        match self.field:
            case "distance_m":
                return -1.0, extent.farthest_m
            case "elapsed_s":
                return -1.0, extent.longest_s
            case _:
                return extent.oldest.timestamp() - 1.0, extent.newest.timestamp()

    def _span(self, extent: Extent) -> tuple[float, float]:
        """After which value, and until which, everything wanted is."""
        since, until = self._values(extent)
        if self.wanted.first is not None:
            since = max(since, (datetime.combine(self.wanted.first, time(), UTC) - _AHEAD).timestamp())
        if self.wanted.last is not None:
            until = min(
                until, (datetime.combine(self.wanted.last, time(), UTC) + timedelta(days=1) + _BEHIND).timestamp()
            )
        if self.after is not None:
            value = _number(self.after.value)
            if self.direction == DESCENDING:
                until = min(until, self._before(value))
            else:
                since = max(since, value)
        return since, until

    def _before(self, value: float) -> float:
        """The next lesser value that there can be."""
        return value - 0.001 if self.field == BY_START else math.nextafter(value, -math.inf)

    def _between(self, low: float, high: float) -> Document:
        """A condition for what is over `low`, up to `high`."""
        if self.field == BY_START:
            return {"$gt": _moment(low), "$lt": _moment(high) + timedelta(milliseconds=1)}
        return {"$gt": low, "$lt": math.nextafter(high, math.inf)}

    def _matching(self) -> Document:
        return {"owner": self.owner} | ({} if self.wanted.sport is None else {"sport": self.wanted.sport})


def _months_later(month: date, months: int) -> date:
    """The first day of the month so many later, within the calendar."""
    number = min(max(month.year * 12 + month.month - 1 + months, 12), 9999 * 12 + 11)
    return date(number // 12, number % 12 + 1, 1)


def _number(value: datetime | float) -> float:
    return value.timestamp() if isinstance(value, datetime) else value


def _moment(seconds: float) -> datetime:
    """The moment, to the millisecond, which is what starts are kept to."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=round(seconds * 1000))
