"""What every change of one runner's things writes, so that of two at once one is done again after the other."""

from __future__ import annotations

import secrets

from services.activities.store.shape import OWNERS
from services.chassis.mongo import Database, Session


class Guard:
    """Written in a transaction, it makes what that has read of the runner still true when it commits.

    What it writes is a stamp, another one with each change: who finds the one he knows knows that nothing has changed.
    """

    def __init__(self, database: Database) -> None:
        self._owners = database.collection(OWNERS)

    async def __call__(self, session: Session, owner: str) -> None:
        """Write it."""
        stamp = {"$set": {"stamp": secrets.token_hex(8)}}
        await self._owners.update_one({"_id": owner}, stamp, upsert=True, session=session)
