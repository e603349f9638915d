"""The catalogue: of each activity what lists choose and order by, a month of a runner in one small document.

For what no index answers: a part of a title, an order other than by start within some dates. Ten thousand activities are a
hundred documents, and are looked through in a few milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct

from services.activities.domain.listing import Wanted
from services.activities.domain.sports import Sport
from services.activities.store.shape import CATALOGUE
from services.chassis.mongo import Database, Document, Session

QUICK_BYTES = 256 * 1024  # more than this is looked through beside the event loop
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """What is listed of an activity; `start_ms` is its start in Unix milliseconds."""

    id: str
    start_ms: int
    local_date: date
    sport: Sport
    title: str
    distance_m: float
    elapsed_s: float

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return _EPOCH + self.start_ms * _MILLISECOND

    @property
    def month(self) -> str:
        """The month it counts in."""
        return f"{self.local_date:%Y-%m}"

    def is_of(self, wanted: Wanted) -> bool:
        """Whether a list of these shows it. `words` are folded already."""
        return (
            (wanted.sport is None or self.sport == wanted.sport)
            and (wanted.first is None or self.local_date >= wanted.first)
            and (wanted.last is None or self.local_date <= wanted.last)
            and (wanted.words is None or wanted.words in self.title.casefold())
        )


FIELDS = ("started_at", "local_date", "sport", "title", "distance_m", "elapsed_s")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


def entry(activity_id: str, fields: Any) -> Entry:
    """The entry of an activity that is an object with these fields."""
    start_ms = (fields.started_at - _EPOCH) // _MILLISECOND
    return Entry(
        activity_id, start_ms, fields.local_date, fields.sport, fields.title, fields.distance_m, fields.elapsed_s
    )


class Catalogue:
    """What is listed of all runners' activities."""

    def __init__(self, database: Database) -> None:
        self._months = database.collection(CATALOGUE)

    async def search(self, owner: str, wanted: Wanted, within: Iterable[date] | None = None) -> list[Entry]:
        """Everything wanted, in no order; of the months of these days alone, where they are given."""
        folded = msgspec.structs.replace(wanted, words=wanted.words.casefold() if wanted.words else None)
        where: Document = {"owner": owner}
        if within is not None:
            where = {"_id": {"$in": [f"{owner}|{day:%Y-%m}" for day in within]}}
        months = [month["entries"] for month in await self._months.find(where, {"entries": 1}).to_list(None)]
        if sum(map(len, months)) < QUICK_BYTES:
            return _chosen(months, folded)
        return await asyncio.to_thread(_chosen, months, folded)

    async def follow(
        self, session: Session, owner: str, removed: Iterable[Entry] = (), added: Iterable[Entry] = ()
    ) -> None:
        """Take some out and put some in."""
        gone, come = set(removed), set(added)
        for month in {one.month for one in gone ^ come}:
            key = f"{owner}|{month}"
            kept: Document | None = await self._months.find_one({"_id": key}, session=session)
            entries = {one.id: one for one in _decode(kept["entries"])} if kept else {}
            for one in gone:
                entries.pop(one.id, None)
            entries |= {one.id: one for one in come if one.month == month}
            if entries:
                await self._months.replace_one(
                    {"_id": key}, _document(owner, month, list(entries.values())), upsert=True, session=session
                )
            else:
                await self._months.delete_one({"_id": key}, session=session)

    async def remove_all(self, owner: str) -> None:
        """Remove all of a runner."""
        await self._months.delete_many({"owner": owner})


def catalogue_documents(owner: str, entries: Iterable[Entry]) -> list[Document]:
    """The whole catalogue of a runner as it is kept."""
    months = groupby(sorted(entries, key=lambda one: one.month), lambda one: one.month)
    return [_document(owner, month, list(some)) for month, some in months]


def _document(owner: str, month: str, entries: Sequence[Entry]) -> Document:
    ordered = sorted(entries, key=lambda one: (one.start_ms, one.id))
    return {"_id": f"{owner}|{month}", "owner": owner, "month": month, "entries": _encode(ordered)}


def _chosen(months: Iterable[bytes], wanted: Wanted) -> list[Entry]:
    return [one for month in months for one in _decode(month) if one.is_of(wanted)]
