"""What follows from a runner's activities in the transaction that changes them: statistics, records, gear, share links.

And made anew from all activities, by the functions that change it: what is kept and what is rebuilt are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct, field

from services.activities.domain.activity import Activity
from services.activities.domain.gear import Wear
from services.activities.domain.records import SPORT, Ladders, Runs, changed
from services.activities.domain.roll_ups import Counted, change
from services.activities.domain.sports import Sport
from services.activities.store import catalogue
from services.activities.store.catalogue import Catalogue, Entry, catalogue_documents, entry
from services.activities.store.documents import (
    Held,
    ladders_document,
    ladders_of,
)
from services.activities.store.everything import Everything
from services.activities.store.gear import GearStore
from services.activities.store.roll_ups import RollUps, roll_up_documents
from services.activities.store.shape import ACTIVITIES, CATALOGUE, OWNERS, RECORDS, ROLL_UPS
from services.activities.store.sharing import Shares
from services.chassis.mongo import Database, DeleteOne, Document, ReplaceOne, Session

Write: TypeAlias = ReplaceOne[Document] | DeleteOne

_COUNTED = dict.fromkeys((*Counted.__struct_fields__, *catalogue.FIELDS, "gear_id", "efforts"), 1)


class _Listed(Struct, frozen=True):
    """As much of an activity as lists choose by."""

    id: str = field(name="_id")
    started_at: datetime
    local_date: date
    sport: Sport
    title: str
    distance_m: float
    elapsed_s: float


class Difference(Struct, frozen=True):
    """What to write into a collection."""

    collection: str
    writes: list[Write]


class Anew(Struct, frozen=True):
    """What makes all that follows from a runner's activities what it ought to be."""

    differing: list[Difference]
    wear: list[Wear]
    extent: Document

    @property
    def differences(self) -> int:
        """How many documents are not what they ought to be."""
        return sum(len(one.writes) for one in self.differing)


class Standing:
    """Everything that is summed up of a runner."""

    def __init__(self, database: Database, gear: GearStore) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._roll_ups = RollUps(database)
        self._records = database.collection(RECORDS)
        self._owners = database.collection(OWNERS)
        self._collections = {name: database.collection(name) for name in (ROLL_UPS, RECORDS, CATALOGUE)}
        self._everything = Everything(database)
        self._gear = gear
        self._catalogue = Catalogue(database)
        self._shares = Shares(database)

    async def follow(
        self, session: Session, owner: str, removed: Sequence[Held] = (), added: Sequence[Held] = ()
    ) -> None:
        """Change all that follows from these activities, which are in the database as they are after the change."""
        gone, come = [one.activity for one in removed], [one.activity for one in added]
        changes = change(map(counted, gone), map(counted, come))
        if changes:
            await self._roll_ups.follow(session, owner, changes)
        await self._gear.wear(session, owner, gone, come)
        await self._shares.follow(session, owner, gone, come)
        await self._follow_records(session, owner, removed, added)
        await self._catalogue.follow(session, owner, map(_entry_of, gone), map(_entry_of, come))
        await self._owners.update_one({"_id": owner}, _extended(gone, come), session=session)

    async def has_lost_a_record(self, owner: str) -> bool:
        """Whether nobody knows a record any more, and there were too many runs to look at all in a transaction."""
        return _is_lost(ladders_of(await self._records.find_one({"_id": owner})))

    async def anew(self, owner: str) -> Anew:
        """All of it as it follows from the activities that there are now; nothing is written."""
        found = [document async for document in self._everything.of(owner, _COUNTED)]
        totals = change(added=[msgspec.convert(document, Counted) for document in found])
        listed = [msgspec.convert(document, _Listed) for document in found]
        kept = {
            ROLL_UPS: roll_up_documents(owner, totals),
            RECORDS: _records_documents(owner, changed({}, (), map(_runs_in, found))),
            CATALOGUE: catalogue_documents(owner, [entry(one.id, one) for one in listed]),
        }
        differing = [
            Difference(name, await self._difference(owner, name, documents)) for name, documents in kept.items()
        ]
        return Anew(differing, [msgspec.convert(document, Wear) for document in found], _extent(listed))

    async def make_anew(self, session: Session, owner: str, anew: Anew) -> None:
        """Write what is different. The runner's activities must be those that it was made of."""
        for one in anew.differing:
            if one.writes:
                await self._collections[one.collection].bulk_write(one.writes, ordered=False, session=session)
        await self._gear.count_anew(session, owner, anew.wear)
        await self._owners.update_one({"_id": owner}, {"$set": anew.extent}, session=session)

    async def _difference(self, owner: str, name: str, documents: Sequence[Document]) -> list[Write]:
        """What makes of the documents that there are these."""
        collection = self._collections[name]
        where = {"_id": owner} if name == RECORDS else {"owner": owner}
        there = {document["_id"]: document async for document in collection.find(where)}
        writes: list[Write] = [
            ReplaceOne({"_id": document["_id"]}, document, upsert=True)
            for document in documents
            if there.get(document["_id"]) != document
        ]
        gone = there.keys() - {document["_id"] for document in documents}
        return writes + [DeleteOne({"_id": one}) for one in gone]

    async def remove_all(self, owner: str) -> None:
        """Remove everything of a runner."""
        await self._roll_ups.remove_all(owner)
        await self._records.delete_one({"_id": owner})
        await self._catalogue.remove_all(owner)
        await self._gear.remove_all(owner)
        await self._shares.remove_all(owner)

    async def _follow_records(
        self, session: Session, owner: str, removed: Iterable[Held], added: Iterable[Held]
    ) -> None:
        gone, come = list(map(_runs_of, removed)), list(map(_runs_of, added))
        if not any(one.efforts and one.sport == SPORT for one in (*gone, *come)):
            return
        before = ladders_of(await self._records.find_one({"_id": owner}, session=session))
        after = changed(before, gone, come)
        if _is_lost(after) and not await self._everything.is_much(owner):
            # more than a few of the best went, and nobody kept the next: look at all runs
            runs = self._activities.find({"owner": owner, "sport": SPORT}, _COUNTED, session=session)
            after = changed({}, (), [_runs_in(document) async for document in runs])
        if after != before:
            await self._keep(session, owner, after)

    async def _keep(self, session: Session, owner: str, ladders: Ladders) -> None:
        for document in _records_documents(owner, ladders):
            await self._records.replace_one({"_id": owner}, document, upsert=True, session=session)
            return
        await self._records.delete_one({"_id": owner}, session=session)


def counted(activity: Activity) -> Counted:
    """What statistics need of an activity."""
    return msgspec.convert(activity, Counted, from_attributes=True)


def _extended(removed: Sequence[Activity], added: Sequence[Activity]) -> Document:
    """The update of a runner's document that says how much there is, and between which starts."""
    update: Document = {"$inc": {"activities": len(added) - len(removed)}}
    if added:
        extent = _extent(added)
        update |= {
            "$min": {"oldest": extent["oldest"]},
            "$max": {name: extent[name] for name in ("newest", "farthest_m", "longest_s")},
        }
    return update


def _extent(activities: Sequence[Activity | _Listed]) -> Document:
    starts = [activity.started_at for activity in activities]
    return {
        "activities": len(activities),
        "oldest": min(starts, default=None),
        "newest": max(starts, default=None),
        "farthest_m": max((activity.distance_m for activity in activities), default=0.0),
        "longest_s": max((activity.elapsed_s for activity in activities), default=0.0),
    }


def _entry_of(activity: Activity) -> Entry:
    return entry(activity.id, activity)


def _records_documents(owner: str, ladders: Ladders) -> list[Document]:
    return [{"_id": owner, **ladders_document(ladders)}] if ladders else []


def _is_lost(ladders: Ladders) -> bool:
    return any(ladder.is_lost for ladder in ladders.values())


def _runs_of(held: Held) -> Runs:
    return Runs(held.activity.id, held.activity.sport, held.activity.local_date, held.efforts)


def _runs_in(document: Document) -> Runs:
    efforts = tuple((distance_m, elapsed_s) for distance_m, elapsed_s in document.get("efforts", ()))
    return Runs(document["_id"], document["sport"], date.fromisoformat(document["local_date"]), efforts)
