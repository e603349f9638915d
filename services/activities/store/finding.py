"""Finding activities and statistics: what lists and sums are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any

from services.activities.domain.activity import Activity
from services.activities.domain.listing import Order, Position, Wanted
from services.activities.domain.records import Achievement
from services.activities.domain.roll_ups import Amounts, Period, Stretch, on_our_calendar, start_of, stretches
from services.activities.domain.sports import Sport
from services.activities.store.catalogue import Catalogue, Entry
from services.activities.store.documents import (
    ACTIVITY_FIELDS,
    Extent,
    activity_of,
    extent_of,
    ladders_of,
)
from services.activities.store.listing import BY_START, Listing
from services.activities.store.roll_ups import RollUps
from services.activities.store.shape import ACTIVITIES, OWNERS, RECORDS
from services.chassis.mongo import Database, Document


class Finder:
    """The reading side."""

    def __init__(self, database: Database) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._roll_ups = RollUps(database)
        self._records = database.collection(RECORDS)
        self._catalogue = Catalogue(database)
        self._owners = database.collection(OWNERS)

    async def page(
        self, owner: str, wanted: Wanted, order: Order, after: Position | None, limit: int
    ) -> tuple[list[Activity], Position | None]:
        """The activities after a position, at most so many, and the position of the last where there are more."""
        listing = Listing.of(owner, wanted, order, after)
        found = await (
            self._along(listing, limit + 1) if listing.is_along_an_index else self._among(listing, limit + 1)
        )
        position = listing.position(found[:limit]) if len(found) > limit else None
        return [activity_of(document) for document in found[:limit]], position

    async def _along(self, listing: Listing, limit: int) -> list[Document]:
        """From window to window until it is enough."""
        extent = await self.extent(listing.owner)
        found = await self._find(listing.tied(), listing, limit) if listing.after else []
        found = [document for document in found if listing.has(document)]
        window = listing.first_window(extent, limit) if extent else None
        while window is not None and len(found) < limit:
            # where there are dates, those at the ends of the range may be of the day before or after
            some = await self._find(listing.within(window), listing, 0 if listing.has_dates else limit - len(found))
            some = [document for document in some if listing.has(document)]
            found += some
            window = listing.next_window(window, len(some), limit - len(found))
        return found[:limit]

    async def _among(self, listing: Listing, limit: int) -> list[Document]:
        """By the catalogue: what is wanted, in order, and of these one by one as many as are shown."""
        if listing.field == BY_START:
            keys = await self._keys_by_start(listing, limit)
        else:
            keys = listing.in_order(await self._catalogue.search(listing.owner, listing.wanted))
        reading = (self._activities.find_one({"_id": key[1]}, ACTIVITY_FIELDS) for key in keys[:limit])
        return [document for document in await asyncio.gather(*reading) if document is not None]

    async def _keys_by_start(self, listing: Listing, limit: int) -> list[tuple[Any, str]]:
        """As many months as it takes, from where the list begins."""
        extent, entries, keys = await self.extent(listing.owner), list[Entry](), list[tuple[Any, str]]()
        for months in listing.months(extent) if extent else ():
            entries += await self._catalogue.search(listing.owner, listing.wanted, months)
            keys = listing.in_order(entries)
            if len(keys) >= limit and listing.is_settled(keys[limit - 1][0], months):
                break
        return keys

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
        found = await asyncio.gather(*(self._roll_ups.within(owner, part) for part in parts))
        totals: dict[str, list[int]] = {}
        for part, kept in zip(parts, found, strict=True):
            for one in kept:
                if sport in {None, one.sport}:
                    start = one.start if part.period == by else start_of(by, date.fromisoformat(one.start)).isoformat()
                    before = totals.get(start)
                    totals[start] = (
                        list(one.sums) if before is None else [a + b for a, b in zip(before, one.sums, strict=True)]
                    )
        return {date.fromisoformat(start): Amounts(*sums) for start, sums in sorted(totals.items())}

    async def day_loads(self, owner: str, first: date, last: date) -> dict[date, float]:
        """The load of each day from first to last that had any."""
        loads: dict[str, int] = {}
        for one in await self._roll_ups.within(owner, Stretch("day", first, last)):
            loads[one.start] = loads.get(one.start, 0) + Amounts(*one.sums).load_milli
        return {date.fromisoformat(day): load / 1000 for day, load in loads.items() if load}

    async def extent(self, owner: str) -> Extent | None:
        """How much a runner has, and between which starts; None for nothing."""
        return extent_of(await self._owners.find_one({"_id": owner}))

    async def records(self, owner: str) -> list[tuple[float, Achievement]]:
        """The best effort of each distance over all runs, the shortest first."""
        ladders = ladders_of(await self._records.find_one({"_id": owner}))
        return [(distance_m, ladder.best[0]) for distance_m, ladder in sorted(ladders.items()) if ladder.best]
