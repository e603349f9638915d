"""Finding activities and statistics: what lists and sums are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from services.activities.domain.activity import Activity
from services.activities.domain.listing import Order, Position, Wanted
from services.activities.domain.roll_ups import Amounts, Period, on_our_calendar, stretches
from services.activities.domain.sports import Sport
from services.activities.store.documents import ACTIVITY_FIELDS, activity_of, day_range, roll_up_of
from services.activities.store.shape import ACTIVITIES, ROLL_UPS
from services.chassis.mongo import ASCENDING, DESCENDING, Database, Document

# The clocks of the earth are at most so far ahead of UTC, and behind it.
_AHEAD, _BEHIND = timedelta(hours=14), timedelta(hours=12)


class Finder:
    """The reading side."""

    def __init__(self, database: Database) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._roll_ups = database.collection(ROLL_UPS)

    async def page(
        self, owner: str, wanted: Wanted, order: Order, after: Position | None, limit: int
    ) -> tuple[list[Activity], Position | None]:
        """The activities after a position, at most so many, and the position of the last where there are more."""
        first, last = on_our_calendar(wanted.first, wanted.last)
        wanted = msgspec.structs.replace(wanted, first=first, last=last)
        field, direction = order.removeprefix("-"), DESCENDING if order.startswith("-") else ASCENDING
        conditions = [{"owner": owner}, *_conditions(wanted)]
        if after is not None:
            conditions.append(_beyond(field, direction, after))
        found = self._activities.find({"$and": conditions}, ACTIVITY_FIELDS)
        documents = await found.sort([(field, direction), ("_id", direction)]).limit(limit + 1).to_list(limit + 1)
        activities = [activity_of(document) for document in documents[:limit]]
        if len(documents) <= limit:
            return activities, None
        end = activities[-1]
        return activities, Position(getattr(end, field), end.id)

    async def totals(
        self, owner: str, by: Period, first: date | None, last: date | None, sport: Sport | None
    ) -> Mapping[date, Amounts]:
        """What was done in each period, by its first day, in order: exactly of the days from first to last."""
        first, last = on_our_calendar(first, last)
        parts = [
            {"period": part.period, **_starting(day_range(part.first, part.last))}
            for part in stretches(by, first, last)
        ]
        if not parts:
            return {}
        where: Document = {"owner": owner, "$or": parts} if len(parts) > 1 else {"owner": owner, **parts[0]}
        if sport is not None:
            where["sport"] = sport
        totals: dict[date, Amounts] = {}
        async for document in self._roll_ups.find(where, {"_id": 0, "owner": 0}):
            bucket, amounts = roll_up_of(document)
            start = bucket.within(by)
            totals[start] = totals.get(start, Amounts()) + amounts
        return {start: totals[start] for start in sorted(totals) if totals[start].activities}


def _conditions(wanted: Wanted) -> list[Document]:
    conditions: list[Document] = []
    if days := day_range(wanted.first, wanted.last):
        # the dates decide; the moments around them are what the index is ordered by
        conditions += [{"local_date": days}, {"started_at": _moments(wanted)}]
    if wanted.sport is not None:
        conditions.append({"sport": wanted.sport})
    if wanted.words:
        conditions.append({"title": {"$regex": re.escape(wanted.words), "$options": "i"}})
    return conditions


def _moments(wanted: Wanted) -> Document:
    moments = {}
    if wanted.first is not None:
        moments["$gte"] = datetime.combine(wanted.first, time(), UTC) - _AHEAD
    if wanted.last is not None:
        moments["$lt"] = datetime.combine(wanted.last, time(), UTC) + timedelta(days=1) + _BEHIND
    return moments


def _starting(days: dict[str, Any]) -> Document:
    return {"start": days} if days else {}


def _beyond(field: str, direction: int, after: Position) -> Document:
    further, up_to = ("$lt", "$lte") if direction == DESCENDING else ("$gt", "$gte")
    return {
        field: {up_to: after.value},
        "$or": [{field: {further: after.value}}, {field: after.value, "_id": {further: after.id}}],
    }
