"""Whose turn it is to work on a document: work that takes long, fails, and goes on after a crash.

A document has `due_at` for as long as there is something to be done. It is put into a queue when that comes; who works on it
marks it and moves `due_at` ahead, again and again. Whoever dies is overtaken by `due_at`, and another begins where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from services.chassis.mongo import Collection, DatabaseError, Document, IndexSpec, Session
from services.chassis.renewing import renewing

DUE = IndexSpec((("due_at", 1),), name="due", partial={"due_at": {"$exists": True}})
WHILE_QUEUEING = timedelta(seconds=10)
IN_QUEUE = timedelta(minutes=10)
IN_HAND = timedelta(seconds=20)
RENEW_EVERY_S = 5.0
AT_ONCE = 50


class Leases:
    """The turns at the documents of one collection."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def due(self, now: datetime) -> AsyncIterator[Document]:
        """Those whose time has come: each to be queued, by whoever is told so here and nobody else for the moment.

        Once one is gone on from it must be in the queue: it is not due again for a while, unless somebody works on it and dies.
        """
        found = await self._collection.find({"due_at": {"$lte": now}}).sort("due_at", 1).limit(AT_ONCE).to_list(AT_ONCE)
        for document in found:
            if await self._move(document["_id"], document["due_at"], now + WHILE_QUEUEING):
                yield document
                await self._move(document["_id"], now + WHILE_QUEUEING, now + IN_QUEUE)

    async def _move(self, key: str, seen: datetime, due_at: datetime) -> bool:
        change: dict[str, Any] = {"$set": {"due_at": due_at}, "$unset": {"mark": ""}}
        return (await self._collection.update_one({"_id": key, "due_at": seen}, change)).modified_count == 1

    @asynccontextmanager
    async def taken(self, key: str) -> AsyncIterator[str | None]:
        """The mark to work under while inside; None where there is nothing to be done, or another has it in hand."""
        mark = secrets.token_hex(8)
        free = {"_id": key, "due_at": {"$exists": True}, "mark": {"$exists": False}}
        ours = {"$set": {"mark": mark, "due_at": _now() + IN_HAND}}
        if (await self._collection.update_one(free, ours)).modified_count == 0:
            yield None
            return
        try:
            async with renewing(lambda: self.change(key, mark, {"due_at": _now() + IN_HAND}), every_s=RENEW_EVERY_S):
                yield mark
        except asyncio.CancelledError:  # we stop: somebody else goes on at once
            await self._let_go(key, mark, _now())
            raise
        except Exception:
            await self._let_go(key, mark, _now() + IN_HAND)
            raise

    async def _let_go(self, key: str, mark: str, due_at: datetime) -> None:
        change = {"$set": {"due_at": due_at}, "$unset": {"mark": ""}}
        with contextlib.suppress(DatabaseError):  # then the lease runs out
            await self._collection.update_one({"_id": key, "mark": mark}, change)

    async def change(
        self, key: str, mark: str, values: Document, *, session: Session | None = None, let_go: bool = False
    ) -> bool:
        """Write something down, and `let_go` of it where `values` say when it is due next; False where it is not ours."""
        ours, change = {"_id": key, "mark": mark}, {"$set": values, **({"$unset": {"mark": ""}} if let_go else {})}
        return (await self._collection.update_one(ours, change, session=session)).matched_count == 1

    async def put_off(self, key: str, mark: str, until: datetime, *, forget: tuple[str, ...] = ()) -> None:
        """Leave it until then, without these fields."""
        gone = dict.fromkeys((*forget, "mark"), "")
        change = {"$set": {"due_at": until}, "$unset": gone, "$inc": {"failures": 1}}
        await self._collection.update_one({"_id": key, "mark": mark}, change)

    async def finish(self, key: str, mark: str, values: Document, unset: tuple[str, ...], session: Session) -> bool:
        """Write down how it ended; False where it is not ours (any more)."""
        gone = dict.fromkeys((*unset, "due_at", "mark"), "")
        ours = {"_id": key, "mark": mark}
        ended = await self._collection.update_one(ours, {"$set": values, "$unset": gone}, session=session)
        return ended.matched_count == 1


def _now() -> datetime:
    return datetime.now(UTC)
