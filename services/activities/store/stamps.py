"""What each runner's things were last changed by; many who ask at once are answered together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from services.activities.store.shape import OWNERS
from services.chassis.mongo import Database, Session


@dataclass(slots=True)
class _Question:
    """What the next look at the database is for."""

    owners: set[str] = field(default_factory=set)
    asking: asyncio.Task[dict[str, str]] | None = None


class Stamps:
    """Reads them. Nobody is answered with what was read before they asked: a change that was answered is seen."""

    def __init__(self, database: Database) -> None:
        self._owners = database.collection(OWNERS)
        self._one_at_a_time = asyncio.Lock()
        self._next: _Question | None = None

    async def __call__(self, owner: str) -> str | None:
        """The runner's stamp; None where nothing was ever changed."""
        question = self._next = self._next or _Question()
        question.owners.add(owner)
        if question.asking is None:
            question.asking = asyncio.create_task(self._ask(question))
        return (await asyncio.shield(question.asking)).get(owner)

    async def within(self, session: Session, owner: str) -> str | None:
        """The runner's stamp as a transaction sees it."""
        found = await self._owners.find_one({"_id": owner}, {"stamp": 1}, session=session)
        return (found or {}).get("stamp")

    async def _ask(self, question: _Question) -> dict[str, str]:
        async with self._one_at_a_time:
            self._next = None  # whoever asks from now on is not answered by this
            found = self._owners.find({"_id": {"$in": sorted(question.owners)}}, {"stamp": 1})
            return {document["_id"]: document["stamp"] async for document in found if "stamp" in document}
