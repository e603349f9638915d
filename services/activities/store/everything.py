"""Every activity of a runner, some years at a time where there are many.

SecantusDB makes a whole answer before it sends the first of it: a hundred thousand activities at once take longer than an
operation may. (Starts are what every index of activities is bounded by; none lies outside of these years.)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

from services.activities.store.shape import ACTIVITIES, OWNERS
from services.chassis.mongo import Database, Document

AT_ONCE = 5000
_INSTANT = timedelta(milliseconds=1)
FIRST_YEAR, BEHIND_YEAR = 1989, 2101


class Everything:
    """The activities of a runner, from end to end."""

    def __init__(self, database: Database) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._owners = database.collection(OWNERS)

    async def is_much(self, owner: str) -> bool:
        """Whether a runner has more than one looks at at once."""
        known: Document | None = await self._owners.find_one({"_id": owner}, {"activities": 1})
        return bool((known or {}).get("activities", 0) > AT_ONCE)

    async def of(self, owner: str, fields: Mapping[str, int]) -> AsyncIterator[Document]:
        """These fields of each, in no order that means anything."""
        if not await self.is_much(owner):
            async for document in self._activities.find({"owner": owner}, fields):
                yield document
            return
        for year in range(FIRST_YEAR, BEHIND_YEAR):
            # strict, for the reason that `listing` tells
            within = {"$gt": _begin(year) - _INSTANT, "$lt": _begin(year + 1)}
            async for document in self._activities.find({"owner": owner, "started_at": within}, fields):
                yield document


def _begin(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)
