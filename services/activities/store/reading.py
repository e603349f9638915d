"""Reading what is kept of activities, one at a time; lists and sums are `finding`'s."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import msgspec

from services.activities.domain.activity import Activity
from services.activities.domain.heart_rates import HeartRates
from services.activities.domain.physiology import Physiology
from services.activities.store.documents import ACTIVITY_FIELDS, Breakdowns, activity_of, physiology_of, rates_of
from services.activities.store.everything import Everything
from services.activities.store.originals import Originals
from services.activities.store.shape import ACTIVITIES, OWNERS, STREAMS
from services.chassis.mongo import Database, Document, Session
from services.chassis.problems import NotFound


class ActivityReader:
    """The activities of all runners. Nothing is found without saying whose it is."""

    def __init__(self, database: Database, originals: Originals) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._streams = database.collection(STREAMS)
        self._owners = database.collection(OWNERS)
        self._everything = Everything(database)
        self._originals = originals

    async def read(self, owner: str, activity_id: str) -> Activity:
        """One activity. Raises `NotFound`."""
        return activity_of(await self._document(owner, activity_id, ACTIVITY_FIELDS))

    async def physiology(self, owner: str) -> Physiology:
        """What a runner's profile says."""
        return await self._physiology(owner)

    async def heart_rates(self, owner: str, activity_id: str) -> tuple[Activity, HeartRates | None]:
        """An activity, and for how long the heart beat how fast. Raises `NotFound`."""
        document = await self._document(owner, activity_id, {**ACTIVITY_FIELDS, "heart_rates": 1})
        rates = rates_of(document)
        document.pop("heart_rates", None)
        return activity_of(document), rates

    async def all_of(self, owner: str) -> AsyncIterator[Activity]:
        """Every activity of a runner, in no order that means anything."""
        async for document in self._everything.of(owner, ACTIVITY_FIELDS):
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
        """An activity, and the very bytes it was read from. Raises `NotFound`, `Damaged`."""
        document = await self._document(owner, activity_id, {**ACTIVITY_FIELDS, "original": 1})
        if "original" not in document:
            raise NotFound
        place = document.pop("original")
        activity = activity_of(document)
        return activity, await self._originals.read(place, activity.source.sha256 or "")

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

    async def _physiology(self, owner: str, session: Session | None = None) -> Physiology:
        return physiology_of(await self._owners.find_one({"_id": owner}, {"physiology": 1}, session=session))
