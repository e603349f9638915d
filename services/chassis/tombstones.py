"""Who was deleted a while ago, known by a keyed hash only: so that whatever comes late brings nobody back.

A tombstone is kept until every token and every retry has expired. The bus asks for each message whose it is, the
verifier for each token; the latter can't wait for the database, so the few that were buried lately are kept in memory,
and every process looks for new ones now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from services.chassis.mongo import CollectionSpec, Database, DatabaseError, IndexSpec, Session
from services.chassis.secrets import Secrets

KEPT_FOR = timedelta(days=30)
TOKENS_LIVE_FOR = timedelta(minutes=15)  # three times what the tokendealer gives
LOOK_EVERY_S = 2.0

TOMBSTONES = CollectionSpec("tombstones", indexes=(IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),))


class Tombstones:
    """The tombstones of one service, in its own database."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._stones = database.collection(TOMBSTONES.name)
        self._secrets = secrets
        self._lately: dict[str, datetime] = {}

    async def bury(self, sub: str, session: Session | None = None) -> None:
        """Remember that this person is gone, for as long as it matters from now on.

        In a transaction it counts once that has committed: `look` then.
        """
        name, until = self._name(sub), datetime.now(UTC) + KEPT_FOR
        await self._stones.update_one({"_id": name}, {"$set": {"expires_at": until}}, upsert=True, session=session)
        if session is None:
            self._lately[name] = until

    async def holds(self, sub: str, session: Session | None = None) -> bool:
        """Whether this person was deleted: whatever arrives of them now is late, and dropped."""
        return await self._stones.find_one({"_id": self._name(sub)}, {"_id": 1}, session=session) is not None

    def refuse(self, sub: str) -> bool:
        """Whether a token may still be about that was this person's, who was deleted. It never waits."""
        return bool(self._lately) and self._name(sub) in self._lately

    async def watch(self) -> None:
        """Look for those whom other processes have buried, for ever."""
        while True:
            with contextlib.suppress(DatabaseError):  # away: what we know is enough until it is back
                await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once."""
        since = datetime.now(UTC) + KEPT_FOR - TOKENS_LIVE_FOR
        found = self._stones.find({"expires_at": {"$gt": since}})
        self._lately.update({stone["_id"]: stone["expires_at"] async for stone in found})
        self._lately = {name: until for name, until in self._lately.items() if until > since}

    def _name(self, sub: str) -> str:
        return self._secrets.keyed_hash("tombstone", sub)
