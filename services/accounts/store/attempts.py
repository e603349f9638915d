"""Counters of attempts, each for a window of time: they hold over all workers and restarts.

A counter has so many attempts `left`; one is taken before the attempt is made, so that a burst can't slip through, and
given back when it succeeded. The window ends by the clock in the query; the TTL index only tidies up. What a counter is
for - an address, an account - is kept as a keyed hash.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from services.chassis.mongo import CollectionSpec, Database, Document, DuplicateKeyError, IndexSpec

ATTEMPTS = "attempts"

COLLECTIONS = (CollectionSpec(ATTEMPTS, indexes=(IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),)),)


class Taken(StrEnum):
    """What came of asking for an attempt. `BUSY`: all that are left are being made at this moment."""

    YES = "yes"
    BUSY = "busy"
    NO = "no"


class Answer(Struct, frozen=True):
    """Whether an attempt may be made, and when the window ends."""

    taken: Taken
    ends_at: datetime


class Attempts:
    """The counters."""

    def __init__(self, database: Database) -> None:
        self._attempts = database.collection(ATTEMPTS)

    async def take(self, name: str, limit: int, window: timedelta, now: datetime) -> Answer:
        """Take one of the attempts that are left in the present window, or in a new one."""
        await self._attempts.delete_one({"_id": name, "expires_at": {"$lte": now}})
        taken = await self._one_of_those_left(name)
        if taken is None:
            fresh: Document = {"_id": name, "left": limit - 1, "failures": 0, "expires_at": now + window}
            try:
                await self._attempts.insert_one(fresh)
            except DuplicateKeyError:  # none was left, or somebody began the window at this moment
                taken = await self._one_of_those_left(name)
            else:
                taken = fresh
        if taken is None:
            return await self._none_left(name, limit, now + window)
        return Answer(Taken.YES, taken["expires_at"])

    async def _one_of_those_left(self, name: str) -> Document | None:
        found: Document | None = await self._attempts.find_one_and_update(
            {"_id": name, "left": {"$gt": 0}}, {"$inc": {"left": -1}}
        )
        return found

    async def give_back(self, name: str) -> None:
        """The attempt that was taken was none."""
        await self._attempts.update_one({"_id": name}, {"$inc": {"left": 1}})

    async def fail(self, name: str) -> None:
        """The attempt that was taken failed."""
        await self._attempts.update_one({"_id": name}, {"$inc": {"failures": 1}})

    async def succeed(self, name: str) -> None:
        """The attempt that was taken succeeded: it is given back, and those that failed before it are forgotten."""
        left = {"$add": ["$left", "$failures", 1]}
        await self._attempts.update_one({"_id": name}, [{"$set": {"left": left, "failures": 0}}])

    async def _none_left(self, name: str, limit: int, by_then: datetime) -> Answer:
        found = await self._attempts.find_one({"_id": name})
        if found is None or found["left"] > 0:
            return Answer(Taken.BUSY, by_then)
        return Answer(Taken.NO if found["failures"] >= limit else Taken.BUSY, found["expires_at"])
