"""What is done once to the data of an older version."""

from __future__ import annotations

import msgspec

from services.activities.domain.activity import ALL_BY_RUNNER
from services.activities.store.activities import ActivityStore
from services.activities.store.everything import Everything
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.shape import ACTIVITIES, OWNERS
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Database, Migration, UpdateOne

AT_ONCE = 500


async def _settle_everybody(database: Database) -> None:
    """Make what follows from activities and was not kept yet, or otherwise: the catalogue, records, statistics."""
    store = ActivityStore(database, Originals(database), GearStore(database), Outbox(database))
    owners = [owner["_id"] async for owner in database.collection(OWNERS).find({}, {"_id": 1})]
    for owner in owners:
        await store.settle(owner)


async def _take_corrections_for_said(database: Database) -> None:
    """Who said what was not kept: of what was corrected, take all for said by its runner, so that nothing overwrites it."""
    activities = database.collection(ACTIVITIES)
    owners = [owner["_id"] async for owner in database.collection(OWNERS).find({}, {"_id": 1})]
    said = {"$set": {"said_by": msgspec.to_builtins(ALL_BY_RUNNER)}}
    for owner in owners:
        corrected = [
            UpdateOne({"_id": one["_id"]}, said)
            async for one in Everything(database).of(owner, {"created_at": 1, "updated_at": 1, "said_by": 1})
            if "said_by" not in one and one["updated_at"] != one["created_at"]
        ]
        for begin in range(0, len(corrected), AT_ONCE):
            await activities.bulk_write(corrected[begin : begin + AT_ONCE], ordered=False)


MIGRATIONS = (
    Migration("0001-catalogue-and-records", _settle_everybody),
    Migration("0002-statistics-by-span", _settle_everybody),
    Migration("0003-who-said-what", _take_corrections_for_said),
)
