"""What an account is listed and found by: a number, in the order of registration, and the beginnings of its words.

Numbers are nearly in a row: one is left out where a registration failed or an account was deleted.
"""

from __future__ import annotations

from datetime import timedelta

from services.chassis.mongo import (
    ASCENDING,
    CollectionSpec,
    Database,
    Document,
    DuplicateKeyError,
    IndexSpec,
    ReturnDocument,
)

NUMBER, TERMS, ROLES, LAST_SEEN = "number", "search", "roles", "last_seen_at"
SEEN_EVERY = timedelta(hours=1)
INDEXES = (
    IndexSpec(((NUMBER, ASCENDING),), name="by_number"),
    IndexSpec(((TERMS, ASCENDING), (NUMBER, ASCENDING)), name="by_words"),
    IndexSpec(((ROLES, ASCENDING),), name="by_role"),
)
NUMBERS = CollectionSpec("numbers")
_ACCOUNTS = "accounts"


class Numbers:
    """Gives out the numbers. Each once: also to several processes, and outside of any transaction."""

    def __init__(self, database: Database) -> None:
        self._numbers = database.collection(NUMBERS.name)

    async def next(self) -> int:
        """One that nobody has."""
        while True:
            counted: Document | None = await self._numbers.find_one_and_update(
                {"_id": _ACCOUNTS}, {"$inc": {"last": 1}}, return_document=ReturnDocument.AFTER
            )
            if counted is not None:
                return int(counted["last"])
            try:
                await self._numbers.insert_one({"_id": _ACCOUNTS, "last": 0})
            except DuplicateKeyError:  # another process began at this moment
                continue

    async def last(self) -> int:
        """The last that was given out."""
        found = await self._numbers.find_one({"_id": _ACCOUNTS})
        return int(found["last"]) if found else 0
