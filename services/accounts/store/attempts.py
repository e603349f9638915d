"""Counters, each for a window of time: they hold over all workers and restarts.

A window begins with the first thing counted and ends by the clock in the query; the TTL index only tidies up. What a
counter is for - an address, an account - is kept as a keyed hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from services.chassis.mongo import CollectionSpec, Database, DuplicateKeyError, IndexSpec, ReturnDocument

ATTEMPTS = "attempts"

COLLECTIONS = (CollectionSpec(ATTEMPTS, indexes=(IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),)),)


class Count(Struct, frozen=True):
    """How much was counted in the present window, and when that ends."""

    number: int
    ends_at: datetime


class Attempts:
    """The counters."""

    def __init__(self, database: Database) -> None:
        self._attempts = database.collection(ATTEMPTS)

    async def count(self, name: str, window: timedelta, now: datetime) -> Count:
        """Count one more, in the present window or in a new one; of many at once each gets a number of its own."""
        while True:
            counted = await self._attempts.find_one_and_update(
                {"_id": name, "expires_at": {"$gt": now}}, {"$inc": {"number": 1}}, return_document=ReturnDocument.AFTER
            )
            if counted:
                return Count(counted["number"], counted["expires_at"])
            await self._attempts.delete_one({"_id": name, "expires_at": {"$lte": now}})
            try:
                await self._attempts.insert_one({"_id": name, "number": 1, "expires_at": now + window})
            except DuplicateKeyError:  # somebody else began the window at this moment
                continue
            return Count(1, now + window)

    async def read(self, names: Sequence[str], now: datetime) -> dict[str, Count]:
        """The present windows of these, at once; without those of which nothing was counted lately."""
        found = await self._attempts.find({"_id": {"$in": list(names)}}).to_list(None)
        return {one["_id"]: Count(one["number"], one["expires_at"]) for one in found if one["expires_at"] > now}

    async def forget(self, name: str) -> None:
        """Begin anew."""
        await self._attempts.delete_one({"_id": name})
