"""What each runner's things were last changed by."""

from __future__ import annotations

from services.activities.store.shape import OWNERS
from services.chassis.mongo import Database, Session
from services.chassis.together import Together


class Stamps:
    """Reads them, for many who ask at once together. A change that was answered is seen."""

    def __init__(self, database: Database) -> None:
        self._owners = database.collection(OWNERS)
        self._together = Together(self._of)

    async def __call__(self, owner: str) -> str | None:
        """The runner's stamp; None where nothing was ever changed."""
        return await self._together(owner)

    async def within(self, session: Session, owner: str) -> str | None:
        """The runner's stamp as a transaction sees it."""
        found = await self._owners.find_one({"_id": owner}, {"stamp": 1}, session=session)
        return (found or {}).get("stamp")

    async def _of(self, owners: set[str]) -> dict[str, str]:
        found = self._owners.find({"_id": {"$in": sorted(owners)}}, {"stamp": 1})
        return {document["_id"]: document["stamp"] async for document in found if "stamp" in document}
