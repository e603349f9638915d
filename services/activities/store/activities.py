"""Activities: adding, correcting and removing them, each with all that follows from it, in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from services.activities import events
from services.activities.domain.activity import Activity
from services.activities.domain.duplicates import START_WITHIN, same_activity
from services.activities.domain.gear import Wear
from services.activities.domain.problems import DuplicateActivity
from services.activities.domain.roll_ups import Counted, change
from services.activities.parsers.parsed import ParsedActivity
from services.activities.store.documents import (
    ACTIVITY_FIELDS,
    Breakdowns,
    activity_of,
    document_of,
    roll_up_documents,
    roll_up_updates,
    streams_of,
)
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.shape import ACTIVITIES, OWNERS, ROLL_UPS, STREAMS
from services.activities.store.turns import Turns
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import Once
from services.chassis.mongo import Database, Document, DuplicateKeyError, ObjectId, Session
from services.chassis.problems import Conflict, NotFound, Stale

ATTEMPTS = 3
_INSTANT = timedelta(milliseconds=1)
_TWIN_FIELDS = {"started_at": 1, "distance_m": 1, "elapsed_s": 1, "source.sha256": 1, "session": 1}


class NewActivity(Struct, frozen=True):
    """An activity to add, with what was measured along it, where it came from a file."""

    activity: Activity
    parsed: ParsedActivity | None = None


class ActivityStore:
    """The activities of all runners. Nothing is found or changed without saying whose it is."""

    def __init__(self, database: Database, originals: Originals, gear: GearStore, outbox: Outbox) -> None:
        self._database = database
        self._activities = database.collection(ACTIVITIES)
        self._streams = database.collection(STREAMS)
        self._roll_ups = database.collection(ROLL_UPS)
        self._owners = database.collection(OWNERS)
        self._originals = originals
        self._gear = gear
        self._outbox = outbox
        self._turns = Turns()

    async def add(
        self,
        owner: str,
        new: Sequence[NewActivity],
        original: ObjectId | None,
        once: Once[tuple[Activity, ...]],
    ) -> tuple[Activity, ...]:
        """Add those that the runner does not have yet, and return them.

        Raises `DuplicateActivity` where the runner has all of them.
        """

        async def body(session: Session) -> tuple[Activity, ...]:
            await self._guard(session, owner)
            twins = await self._twins(owner, new, session)
            fresh = [one for one in new if one.activity.id not in twins]
            if not fresh:
                raise DuplicateActivity.of(twins[new[0].activity.id])
            added = await self._insert(session, owner, fresh, original)
            await once.keep(session, added)
            await self._outbox.add(session, *map(events.imported, added))
            return added

        async with self._turns.of(owner):
            for _ in range(ATTEMPTS):
                try:
                    return await self._database.transact(body)
                except DuplicateKeyError:
                    # another process added the same bytes, or this runner's first activity, at the same moment
                    await self.refuse_duplicates(owner, new)
        raise Conflict("Another change was made at the same moment: try again")

    async def refuse_duplicates(self, owner: str, new: Sequence[NewActivity]) -> None:
        """Raise `DuplicateActivity` where the runner has all of these already."""
        twins = await self._twins(owner, new)
        if len(twins) == len(new):
            raise DuplicateActivity.of(twins[new[0].activity.id])

    async def read(self, owner: str, activity_id: str) -> Activity:
        """One activity. Raises `NotFound`."""
        return activity_of(await self._document(owner, activity_id, ACTIVITY_FIELDS))

    async def correct(
        self, owner: str, activity_id: str, corrected: Callable[[Activity], Activity], expected: int | None
    ) -> Activity:
        """Change an activity by a function of it, which may run more than once, and return what it is then.

        Raises `NotFound`, and `Stale` where it is not of the expected version.
        """

        async def body(session: Session) -> Activity:
            before = await self._current(session, owner, activity_id, expected)
            after = corrected(before)
            if after == before:
                return before
            after = msgspec.structs.replace(after, version=before.version + 1)
            await self._guard(session, owner)
            changes = {name: value for name, value in document_of(after, None).items() if name != "_id"}
            await self._activities.update_one({"_id": activity_id}, {"$set": changes}, session=session)
            await self._roll_up(session, owner, removed=[before], added=[after])
            await self._gear.wear(session, owner, removed=[before], added=[after])
            await self._outbox.add(session, events.changed(after))
            return after

        async with self._turns.of(owner):
            return await self._database.transact(body)

    async def remove(self, owner: str, activity_id: str, expected: int | None) -> None:
        """Remove an activity and all that came with it. Raises `NotFound`, `Stale`."""

        async def body(session: Session) -> None:
            activity = await self._current(session, owner, activity_id, expected)
            await self._guard(session, owner)
            removed: Document | None = await self._activities.find_one_and_delete(
                {"_id": activity_id}, {"original": 1}, session=session
            )
            await self._streams.delete_one({"_id": activity_id}, session=session)
            await self._roll_up(session, owner, removed=[activity])
            await self._gear.wear(session, owner, removed=[activity])
            await self._owners.update_one({"_id": owner}, {"$inc": {"activities": -1}}, session=session)
            if removed and "original" in removed:
                await self._originals.let_go(session, owner, removed["original"])
            await self._outbox.add(session, events.deleted(activity))

        async with self._turns.of(owner):
            await self._database.transact(body)

    async def all_of(self, owner: str) -> AsyncIterator[Activity]:
        """Every activity of a runner, in no order that means anything."""
        async for document in self._activities.find({"owner": owner}, ACTIVITY_FIELDS):
            yield activity_of(document)

    async def columns(self, owner: str, activity_id: str) -> bytes:
        """The packed streams of an activity; none where it has none. Raises `NotFound`."""
        found = await self._part(owner, activity_id, {"columns": 1})
        return bytes(found["columns"]) if found else b""

    async def breakdowns(self, owner: str, activity_id: str, *parts: str) -> Breakdowns:
        """These parts (`laps`, `splits.km`, `best_efforts`) of an activity. Raises `NotFound`."""
        found = await self._part(owner, activity_id, {**dict.fromkeys(parts, 1), "_id": 0})
        return msgspec.convert(found or {}, Breakdowns)

    async def original(self, owner: str, activity_id: str) -> tuple[Activity, bytes]:
        """An activity, and the very bytes it was read from. Raises `NotFound`."""
        document = await self._document(owner, activity_id, {**ACTIVITY_FIELDS, "original": 1})
        if "original" not in document:
            raise NotFound
        place = document.pop("original")
        return activity_of(document), await self._originals.read(place)

    async def rebuild_roll_ups(self, owner: str) -> None:
        """Make a runner's statistics, and the way of all gear, anew from the activities, by the function that changes them."""

        async def body(session: Session) -> None:
            await self._guard(session, owner)
            fields = dict.fromkeys(Counted.__struct_fields__, 1)
            fields |= {"started_at": 1, "gear_id": 1}
            found = await self._activities.find({"owner": owner}, fields, session=session).to_list(None)
            totals = change(added=[msgspec.convert(document, Counted) for document in found])
            await self._roll_ups.delete_many({"owner": owner}, session=session)
            if totals:
                await self._roll_ups.insert_many(roll_up_documents(owner, totals), session=session)
            await self._gear.count_anew(session, owner, [msgspec.convert(document, Wear) for document in found])
            starts = [document["started_at"] for document in found]
            extent = {
                "activities": len(found),
                "oldest": min(starts, default=None),
                "newest": max(starts, default=None),
            }
            await self._owners.update_one({"_id": owner}, {"$set": extent}, session=session)

        async with self._turns.of(owner):
            await self._database.transact(body)

    async def remove_all(self, owner: str) -> None:
        """Remove everything of a runner."""
        async with self._turns.of(owner):
            for collection in (self._streams, self._activities, self._roll_ups):
                await collection.delete_many({"owner": owner})
            await self._gear.remove_all(owner)
            await self._originals.remove_all(owner)
            await self._owners.delete_one({"_id": owner})

    async def _part(self, owner: str, activity_id: str, fields: dict[str, int]) -> Document | None:
        """Fields of an activity's streams; None where it has none. Raises `NotFound` where there is no activity."""
        found: Document | None = await self._streams.find_one({"_id": activity_id}, {**fields, "owner": 1})
        if found is None:
            await self._document(owner, activity_id, {"owner": 1})
        elif found["owner"] != owner:
            raise NotFound
        return found

    async def _document(
        self, owner: str, activity_id: str, fields: Mapping[str, int], session: Session | None = None
    ) -> Document:
        """A runner's activity. Raises `NotFound` where it is not there, or not the runner's.

        It is found by its id alone, and whose it is is looked at here: not every server finds the id first.
        """
        document: Document | None = await self._activities.find_one({"_id": activity_id}, fields, session=session)
        if document is None or document["owner"] != owner:
            raise NotFound
        return document

    async def _current(self, session: Session, owner: str, activity_id: str, expected: int | None) -> Activity:
        activity = activity_of(await self._document(owner, activity_id, ACTIVITY_FIELDS, session))
        if expected not in {None, activity.version}:
            raise Stale
        return activity

    async def _guard(self, session: Session, owner: str) -> None:
        """Write what every change of this runner's activities writes: of two at once, one is done again after the other.

        So what a transaction has read of the runner is still true when it commits.
        """
        await self._owners.update_one({"_id": owner}, {"$inc": {"changes": 1}}, upsert=True, session=session)

    async def _twins(self, owner: str, new: Sequence[NewActivity], session: Session | None = None) -> dict[str, str]:
        """Which of these the runner has already: the id it has, by the id of the new one."""
        starts = [one.activity.started_at for one in new]
        # strict, for the reason that `finding.Listing` tells
        within = {"$gt": min(starts) - START_WITHIN - _INSTANT, "$lt": max(starts) + START_WITHIN + _INSTANT}
        found = self._activities.find({"owner": owner, "started_at": within}, _TWIN_FIELDS, session=session)
        known = await found.to_list(None)
        twins = {}
        for one in new:
            twin = next((document["_id"] for document in known if _is_twin(one.activity, document)), None)
            if twin is not None:
                twins[one.activity.id] = twin
        return twins

    async def _insert(
        self, session: Session, owner: str, fresh: Sequence[NewActivity], original: ObjectId | None
    ) -> tuple[Activity, ...]:
        """Insert these, and return them as they are then, with the gear that they get."""
        added = await self._gear.given_defaults(session, owner, [one.activity for one in fresh])
        await self._activities.insert_many([document_of(activity, original) for activity in added], session=session)
        streams = [streams_of(one.activity, one.parsed) for one in fresh if one.parsed and one.parsed.streams]
        if streams:
            await self._streams.insert_many(streams, session=session)
        if original is not None:
            await self._originals.claim(session, original)
        await self._roll_up(session, owner, added=added)
        await self._gear.wear(session, owner, added=added)
        await self._owners.update_one({"_id": owner}, _extended(added), session=session)
        return added

    async def _roll_up(
        self, session: Session, owner: str, removed: Sequence[Activity] = (), added: Sequence[Activity] = ()
    ) -> None:
        changes = change(map(counted, removed), map(counted, added))
        if changes:
            await self._roll_ups.bulk_write(roll_up_updates(owner, changes), ordered=False, session=session)


def _extended(added: Sequence[Activity]) -> Document:
    """The update of a runner's document that says how much there is, and between which starts."""
    starts = [activity.started_at for activity in added]
    return {"$inc": {"activities": len(added)}, "$min": {"oldest": min(starts)}, "$max": {"newest": max(starts)}}


def counted(activity: Activity) -> Counted:
    """What statistics need of an activity."""
    return msgspec.convert(activity, Counted, from_attributes=True)


def _is_twin(activity: Activity, document: Document) -> bool:
    """Whether a known activity is this one: the same session of the same bytes, or of other bytes much the same."""
    sha256 = document.get("source", {}).get("sha256")
    if sha256 is not None and sha256 == activity.source.sha256:
        return bool(document["session"] == activity.session)
    other: tuple[datetime, float, float] = (document["started_at"], document["distance_m"], document["elapsed_s"])
    return same_activity(activity.started_at, activity.distance_m, activity.elapsed_s, other)
