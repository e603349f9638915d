"""What follows from a runner's activities, statistics, records and the way of gear, in the transaction that changes them.

And made anew from all activities, by the functions that change it: what is kept and what is rebuilt are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from services.activities.domain.activity import Activity
from services.activities.domain.gear import Wear
from services.activities.domain.records import SPORT, Ladders, Runs, changed
from services.activities.domain.roll_ups import Counted, change
from services.activities.store.documents import (
    Held,
    ladders_document,
    ladders_of,
    roll_up_documents,
    roll_up_updates,
)
from services.activities.store.gear import GearStore
from services.activities.store.shape import ACTIVITIES, OWNERS, RECORDS, ROLL_UPS
from services.chassis.mongo import Database, Document, Session

_COUNTED = dict.fromkeys((*Counted.__struct_fields__, "started_at", "gear_id", "efforts"), 1)


class Standing:
    """Everything that is summed up of a runner."""

    def __init__(self, database: Database, gear: GearStore) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._roll_ups = database.collection(ROLL_UPS)
        self._records = database.collection(RECORDS)
        self._owners = database.collection(OWNERS)
        self._gear = gear

    async def follow(
        self, session: Session, owner: str, removed: Sequence[Held] = (), added: Sequence[Held] = ()
    ) -> None:
        """Change all that follows from these activities, which are in the database as they are after the change."""
        gone, come = [one.activity for one in removed], [one.activity for one in added]
        changes = change(map(counted, gone), map(counted, come))
        if changes:
            await self._roll_ups.bulk_write(roll_up_updates(owner, changes), ordered=False, session=session)
        await self._gear.wear(session, owner, gone, come)
        await self._follow_records(session, owner, removed, added)
        await self._owners.update_one({"_id": owner}, _extended(gone, come), session=session)

    async def make_anew(self, session: Session, owner: str) -> None:
        """Make it all from the activities that there are."""
        found = await self._activities.find({"owner": owner}, _COUNTED, session=session).to_list(None)
        totals = change(added=[msgspec.convert(document, Counted) for document in found])
        await self._roll_ups.delete_many({"owner": owner}, session=session)
        if totals:
            await self._roll_ups.insert_many(roll_up_documents(owner, totals), session=session)
        await self._gear.count_anew(session, owner, [msgspec.convert(document, Wear) for document in found])
        await self._keep(session, owner, changed({}, (), map(_runs_in, found)))
        starts = [document["started_at"] for document in found]
        extent = {"activities": len(found), "oldest": min(starts, default=None), "newest": max(starts, default=None)}
        await self._owners.update_one({"_id": owner}, {"$set": extent}, session=session)

    async def remove_all(self, owner: str) -> None:
        """Remove everything of a runner."""
        await self._roll_ups.delete_many({"owner": owner})
        await self._records.delete_one({"_id": owner})
        await self._gear.remove_all(owner)

    async def _follow_records(
        self, session: Session, owner: str, removed: Iterable[Held], added: Iterable[Held]
    ) -> None:
        gone, come = list(map(_runs_of, removed)), list(map(_runs_of, added))
        if not any(one.efforts and one.sport == SPORT for one in (*gone, *come)):
            return
        before = ladders_of(await self._records.find_one({"_id": owner}, session=session))
        after = changed(before, gone, come)
        if any(ladder.is_lost for ladder in after.values()):
            # more than a few of the best went, and nobody kept the next: look at all runs
            runs = self._activities.find({"owner": owner, "sport": SPORT}, _COUNTED, session=session)
            after = changed({}, (), [_runs_in(document) async for document in runs])
        if after != before:
            await self._keep(session, owner, after)

    async def _keep(self, session: Session, owner: str, ladders: Ladders) -> None:
        document = {"_id": owner, **ladders_document(ladders)}
        await self._records.replace_one({"_id": owner}, document, upsert=True, session=session)


def counted(activity: Activity) -> Counted:
    """What statistics need of an activity."""
    return msgspec.convert(activity, Counted, from_attributes=True)


def _extended(removed: Sequence[Activity], added: Sequence[Activity]) -> Document:
    """The update of a runner's document that says how much there is, and between which starts."""
    update: Document = {"$inc": {"activities": len(added) - len(removed)}}
    if added:
        starts = [activity.started_at for activity in added]
        update |= {"$min": {"oldest": min(starts)}, "$max": {"newest": max(starts)}}
    return update


def _runs_of(held: Held) -> Runs:
    return Runs(held.activity.id, held.activity.sport, held.activity.local_date, held.efforts)


def _runs_in(document: Document) -> Runs:
    efforts = tuple((distance_m, elapsed_s) for distance_m, elapsed_s in document.get("efforts", ()))
    return Runs(document["_id"], document["sport"], date.fromisoformat(document["local_date"]), efforts)
