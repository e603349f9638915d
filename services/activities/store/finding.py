"""Finding activities and statistics: what lists and sums are made of.

Queries are bounded on both sides by what an index is ordered by, and have no `$or`: not every server that speaks
MongoDB's protocol reads an index backwards, or stops at a limit, so we ask for little more than is shown. A list by
start goes through the runner's years in windows as wide as the runner is busy.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from services.activities.domain.activity import Activity
from services.activities.domain.listing import Order, Position, Wanted
from services.activities.domain.records import Achievement
from services.activities.domain.roll_ups import Amounts, Period, Stretch, on_our_calendar, stretches
from services.activities.domain.sports import Sport
from services.activities.store.documents import (
    ACTIVITY_FIELDS,
    Extent,
    activity_of,
    day_range,
    extent_of,
    ladders_of,
    roll_up_of,
)
from services.activities.store.shape import ACTIVITIES, OWNERS, RECORDS, ROLL_UPS
from services.chassis.mongo import ASCENDING, DESCENDING, Database, Document

# The clocks of the earth are at most so far ahead of UTC, and behind it.
_AHEAD, _BEHIND = timedelta(hours=14), timedelta(hours=12)
_BY_START = "started_at"
_INSTANT = timedelta(milliseconds=1)
_SPARE, _WIDER = 2, 4


class Finder:
    """The reading side."""

    def __init__(self, database: Database) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._roll_ups = database.collection(ROLL_UPS)
        self._records = database.collection(RECORDS)
        self._owners = database.collection(OWNERS)

    async def page(
        self, owner: str, wanted: Wanted, order: Order, after: Position | None, limit: int
    ) -> tuple[list[Activity], Position | None]:
        """The activities after a position, at most so many, and the position of the last where there are more."""
        listing = Listing.of(owner, wanted, order, after)
        found = await self._find(listing.tied(), listing, limit + 1) if after else []
        if len(found) <= limit:
            found += await self._beyond(listing, limit + 1 - len(found))
        activities = [activity_of(document) for document in found[:limit]]
        if len(found) <= limit:
            return activities, None
        return activities, Position(getattr(activities[-1], listing.field), activities[-1].id)

    async def _beyond(self, listing: Listing, limit: int) -> list[Document]:
        """Those with a value beyond the position's: at once, or by start from window to window until it is enough."""
        if listing.field != _BY_START or listing.wanted.words:
            return await self._find(listing.beyond(), listing, limit)
        extent = await self.extent(listing.owner)
        found: list[Document] = []
        for window in listing.windows(extent, limit) if extent else ():
            # where there are dates, those at the ends of the range may be of the day before or after
            some = await self._find(window, listing, 0 if listing.has_dates else limit - len(found))
            found += [document for document in some if listing.has(document)]
            if len(found) >= limit:
                break
        return found[:limit]

    async def _find(self, where: Document, listing: Listing, limit: int) -> list[Document]:
        """In the order of the list; all of them where the limit is 0."""
        found = self._activities.find(where, ACTIVITY_FIELDS)
        order = [(listing.field, listing.direction), ("_id", listing.direction)]
        return await found.sort(order).limit(limit).to_list(None)

    async def totals(
        self, owner: str, by: Period, first: date | None, last: date | None, sport: Sport | None
    ) -> Mapping[date, Amounts]:
        """What was done in each period, by its first day, in order: exactly of the days from first to last."""
        parts = stretches(by, *on_our_calendar(first, last))
        totals: dict[date, Amounts] = {}
        for documents in await asyncio.gather(*(self._roll_ups_of(owner, part) for part in parts)):
            for bucket, amounts in map(roll_up_of, documents):
                if sport in {None, bucket.sport}:
                    start = bucket.within(by)
                    totals[start] = totals.get(start, Amounts()) + amounts
        return {start: totals[start] for start in sorted(totals) if totals[start].activities}

    async def day_loads(self, owner: str, first: date, last: date) -> dict[date, float]:
        """The load of each day from first to last that had any."""
        loads: dict[date, int] = {}
        for bucket, amounts in map(roll_up_of, await self._roll_ups_of(owner, Stretch("day", first, last))):
            loads[bucket.start] = loads.get(bucket.start, 0) + amounts.load_milli
        return {day: load / 1000 for day, load in loads.items() if load}

    async def extent(self, owner: str) -> Extent | None:
        """How much a runner has, and between which starts; None for nothing."""
        return extent_of(await self._owners.find_one({"_id": owner}))

    async def records(self, owner: str) -> list[tuple[float, Achievement]]:
        """The best effort of each distance over all runs, the shortest first."""
        ladders = ladders_of(await self._records.find_one({"_id": owner}))
        return [(distance_m, ladder.best[0]) for distance_m, ladder in sorted(ladders.items()) if ladder.best]

    async def _roll_ups_of(self, owner: str, part: Stretch) -> list[Document]:
        where: Document = {"owner": owner, "period": part.period}
        if days := day_range(part.first, part.last):
            where["start"] = days
        return await self._roll_ups.find(where, {"_id": 0, "owner": 0}).to_list(None)


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of one runner from one position on, as the queries that find it. All bounds are strict.

    SecantusDB 0.7.0b3 leaves out documents on a bound that is included, where the index goes on behind the bounded field.
    """

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

    def tied(self) -> Document:
        """Those with the very value of the position, and an id beyond its."""
        if self.after is None:
            raise ValueError("nothing is tied with no position")
        return {**self._matching(), self.field: self.after.value, "_id": {self._further: self.after.id}}

    def beyond(self) -> Document:
        """Those with a value beyond the position's."""
        if self.after is None:
            return self._matching()
        return {**self._matching(), self.field: {self._further: self.after.value}}

    def windows(self, extent: Extent, limit: int) -> Iterator[Document]:
        """The same by start, as spans of time in the order of the list, each wider than the one before.

        The first holds twice as many activities as are needed, where the runner is as busy as on average. Dates are left
        to `has`.
        """
        since, until = self._span(extent)
        width = until - since
        if extent.activities > limit * _SPARE:
            width = max((extent.newest - extent.oldest) / extent.activities * limit * _SPARE, timedelta(days=1))
        where = self._matching(days=False)
        while since < until:
            edge = max(until - width, since) if self.direction == DESCENDING else min(since + width, until)
            low, high = (edge, until) if self.direction == DESCENDING else (since, edge)
            yield {**where, _BY_START: {"$gt": low, "$lt": high + _INSTANT}}
            since, until = (since, edge) if self.direction == DESCENDING else (edge, until)
            width *= _WIDER

    def has(self, document: Document) -> bool:
        """Whether an activity is of the wanted local dates."""
        day, first, last = document["local_date"], self.wanted.first, self.wanted.last
        return (first is None or day >= first.isoformat()) and (last is None or day <= last.isoformat())

    def _span(self, extent: Extent) -> tuple[datetime, datetime]:
        """After when, and until when, everything wanted began."""
        since, until = extent.oldest - _INSTANT, extent.newest
        if self.wanted.first is not None:
            since = max(since, datetime.combine(self.wanted.first, time(), UTC) - _AHEAD)
        if self.wanted.last is not None:
            until = min(until, datetime.combine(self.wanted.last, time(), UTC) + timedelta(days=1) + _BEHIND)
        if self.after is not None and isinstance(self.after.value, datetime):
            if self.direction == DESCENDING:
                until = min(until, self.after.value - _INSTANT)
            else:
                since = max(since, self.after.value)
        return since, until

    @property
    def _further(self) -> str:
        return "$lt" if self.direction == DESCENDING else "$gt"

    def _matching(self, *, days: bool = True) -> Document:
        where: Document = {"owner": self.owner}
        if self.wanted.sport is not None:
            where["sport"] = self.wanted.sport
        if days and (of_days := day_range(self.wanted.first, self.wanted.last)):
            where["local_date"] = of_days
        if self.wanted.words:
            where["title"] = {"$regex": re.escape(self.wanted.words), "$options": "i"}
        return where
