"""Statistics as they are kept: the days of a month, the weeks or months of a year of a runner in one small document.

Ten years of months are ten documents, read in a millisecond; an activity that comes or goes changes four.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from services.activities.domain.roll_ups import Amounts, Bucket, Period, Stretch, start_of
from services.activities.domain.sports import Sport
from services.activities.store.shape import ROLL_UPS
from services.chassis.mongo import Database, DeleteOne, Document, ReplaceOne, Session

Sums: TypeAlias = tuple[int, ...]


class Kept(Struct, frozen=True, array_like=True, gc=False):
    """The amounts of one bucket, in the order of `Amounts`; `start` is its first day."""

    start: str
    sport: Sport
    sums: Sums


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Kept]).decode


class RollUps:
    """The statistics of all runners."""

    def __init__(self, database: Database) -> None:
        self._spans = database.collection(ROLL_UPS)

    async def follow(self, session: Session, owner: str, changes: Mapping[Bucket, Amounts]) -> None:
        """Add these amounts to a runner's buckets. Only one transaction may do so at a time, see `ActivityStore`."""
        spans = {_key(owner, bucket) for bucket in changes}
        there = self._spans.find({"_id": {"$in": sorted(spans)}}, session=session)
        totals = dict(changes)
        for document in await there.to_list(None):
            for bucket, amounts in buckets_of(document):
                totals[bucket] = totals.get(bucket, Amounts()) + amounts
        documents = roll_up_documents(owner, totals)
        writes: list[ReplaceOne[Document] | DeleteOne] = [
            ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents
        ]
        writes += [DeleteOne({"_id": span}) for span in spans - {document["_id"] for document in documents}]
        if writes:
            await self._spans.bulk_write(writes, ordered=False, session=session)

    async def within(self, owner: str, part: Stretch) -> list[Kept]:
        """The buckets of a stretch, in no order."""
        bounds = {"$gte": part.first, "$lte": part.last}
        spans = {operator: _span(part.period, day) for operator, day in bounds.items() if day is not None}
        where: Document = {"owner": owner, "period": part.period, **({"span": spans} if spans else {})}
        found = await self._spans.find(where, {"buckets": 1, "_id": 0}).to_list(None)
        kept = [one for document in found for one in _decode(document["buckets"])]
        if not spans:
            return kept
        first, last = (part.first or date.min).isoformat(), (part.last or date.max).isoformat()
        return [one for one in kept if first <= one.start <= last]

    async def remove_all(self, owner: str) -> None:
        """Remove all of a runner."""
        await self._spans.delete_many({"owner": owner})


def roll_up_documents(owner: str, totals: Mapping[Bucket, Amounts]) -> list[Document]:
    """These totals as they are kept; a bucket with nothing in it is not."""
    filled = sorted(
        ((bucket, astuple(amounts)) for bucket, amounts in totals.items() if any(astuple(amounts))),
        key=lambda one: (one[0].period, one[0].start, one[0].sport),
    )
    spans = groupby(filled, lambda one: (one[0].period, _span(one[0].period, one[0].start)))
    return [_document(owner, period, span, some) for (period, span), some in spans]


def buckets_of(document: Document) -> list[tuple[Bucket, Amounts]]:
    """The buckets of a document, and what is in each."""
    return [
        (Bucket(document["period"], date.fromisoformat(one.start), one.sport), Amounts(*one.sums))
        for one in _decode(document["buckets"])
    ]


def _document(owner: str, period: Period, span: str, buckets: Iterable[tuple[Bucket, Sums]]) -> Document:
    kept = [Kept(bucket.start.isoformat(), bucket.sport, sums) for bucket, sums in buckets]
    return {
        "_id": f"{owner}|{period}|{span}", "owner": owner, "period": period, "span": span, "buckets": _encode(kept),
    }  # fmt: skip


def _key(owner: str, bucket: Bucket) -> str:
    return f"{owner}|{bucket.period}|{_span(bucket.period, bucket.start)}"


def _span(period: Period, start: date) -> str:
    """Which buckets are in one document: days by month, weeks and months by year, years by century."""
    match period:
        case "day":
            return start_of("month", start).isoformat()
        case "week" | "month":
            return start_of("year", start).isoformat()
        case "year":
            return date(start.year // 100 * 100, 1, 1).isoformat()
