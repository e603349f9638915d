"""What is done once to the data of an older version."""

from __future__ import annotations

from services.activities.store.activities import ActivityStore
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.shape import OWNERS
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Database, Migration


async def _settle_everybody(database: Database) -> None:
    """Make what follows from activities and was not kept yet, or otherwise: the catalogue, records, statistics."""
    store = ActivityStore(database, Originals(database), GearStore(database), Outbox(database))
    owners = [owner["_id"] async for owner in database.collection(OWNERS).find({}, {"_id": 1})]
    for owner in owners:
        await store.settle(owner)


MIGRATIONS = (
    Migration("0001-catalogue-and-records", _settle_everybody),
    Migration("0002-statistics-by-span", _settle_everybody),
)
