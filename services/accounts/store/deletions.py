"""Deletions under way, and, for a while, that there were some: of whom is known while they last only, and sealed.

A deletion begins with the account: in the transaction that keeps the order, the account and its links go and the tombstone
comes. So there is no moment at which it is ordered and the account works.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.accounts.domain.deletions import Deletion, KeptBy, Stage, bound_to
from services.accounts.store.accounts import Accounts
from services.accounts.store.leases import DUE, Leases
from services.chassis.bus.event import Message
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Binary, CollectionSpec, Database, Document, IndexSpec, Session
from services.chassis.problems import NotFound
from services.chassis.tombstones import Tombstones

DELETIONS = "deletions"
RECEIPT_KEPT = timedelta(days=365)
CONFIRMATIONS = {Stage.ERASING: "confirmed", Stage.SWEEPING: "swept"}

COLLECTIONS = (
    CollectionSpec(
        DELETIONS,
        indexes=(DUE, IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0)),
        schema={
            "bsonType": "object",
            "required": ["_id", "stage", "requested_at"],
            "properties": {
                "stage": {"enum": [str(stage) for stage in Stage]},
                "requested_at": {"bsonType": "date"},
                "sealed": {"bsonType": "binData"},
            },
        },
        sealed={"sealed": lambda document: bound_to(document["_id"])},
    ),
)


class Deletions:
    """The deletions of one database."""

    def __init__(self, database: Database, outbox: Outbox, accounts: Accounts, tombstones: Tombstones) -> None:
        self._database, self._outbox = database, outbox
        self._accounts, self._tombstones = accounts, tombstones
        self._deletions = database.collection(DELETIONS)
        self.leases = Leases(self._deletions)

    async def begin(self, deletion: Deletion, sub: str, *, unconfirmed_since: datetime | None = None) -> None:
        """Remove the account and keep what is to be done. Raises `NotFound` where it is gone already.

        With `unconfirmed_since`, also where somebody has confirmed it, or it does not wait since before that.
        """

        async def body(session: Session) -> None:
            if not await self._accounts.remove(session, sub, unconfirmed_since=unconfirmed_since):
                raise NotFound
            await self._tombstones.bury(sub, session)
            await self._deletions.insert_one(_document(deletion), session=session)

        await self._database.transact(body)
        await self._tombstones.look()

    async def find(self, deletion_id: str) -> Deletion | None:
        """A deletion, or None."""
        found = await self._deletions.find_one({"_id": deletion_id})
        return _deletion(found) if found else None

    async def confirm(self, deletion: Deletion, mark: str, service: str, kept: Sequence[KeptBy], now: datetime) -> None:
        """A service has erased all that it held, but what it tells."""
        values: Document = {f"{CONFIRMATIONS[deletion.stage]}.{service}": now}
        if kept:
            values[f"kept.{service}"] = msgspec.to_builtins(kept)
        await self.leases.change(deletion.id, mark, values)

    async def tell(
        self,
        deletion: Deletion,
        mark: str,
        sealed: bytes,
        receipt: Sequence[Message],
        *,
        now: datetime,
        sweep_at: datetime,
    ) -> None:
        """All have confirmed: the receipt goes out, and `sealed` takes the place of who it was."""
        values = {"stage": Stage.SWEEPING, "told_at": now, "sealed": Binary(sealed), "due_at": sweep_at, "failures": 0}

        async def body(session: Session) -> None:
            if await self.leases.change(deletion.id, mark, values, session=session, let_go=True):
                await self._outbox.add(session, *receipt)

        await self._database.transact(body)

    async def finish(self, deletion: Deletion, mark: str, now: datetime) -> None:
        """It is done: nothing says any more who it was."""
        values: dict[str, Any] = {"stage": Stage.DONE, "finished_at": now, "expires_at": now + RECEIPT_KEPT}

        async def body(session: Session) -> None:
            await self.leases.finish(deletion.id, mark, values, ("sealed",), session=session)

        await self._database.transact(body)

    async def erasing_since(self) -> datetime | None:
        """When the oldest deletion was asked for that not all have confirmed; None where there is none."""
        waiting = self._deletions.find({"due_at": {"$exists": True}}, {"requested_at": 1, "stage": 1})
        return min([found["requested_at"] async for found in waiting if found["stage"] == Stage.ERASING], default=None)


def _document(deletion: Deletion) -> Document:
    document: Document = msgspec.to_builtins(deletion, builtin_types=(datetime, bytes))
    document["_id"] = document.pop("id")
    document["sealed"] = Binary(document["sealed"])
    return {name: value for name, value in document.items() if value is not None}  # indexes ask whether it is there


def _deletion(document: Document) -> Deletion:
    sealed = document.get("sealed")
    return msgspec.convert(
        {**document, "id": document["_id"], "sealed": None if sealed is None else bytes(sealed)}, Deletion
    )
