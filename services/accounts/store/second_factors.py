"""Second factors, one document a person.

What works once is used up by one conditional write: of two that use a code at once, in whatever processes, one finds
nothing to change. What is told of a change is in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from services.accounts.domain.second_factor import PENDING_FOR, SecondFactor, SecondFactorActive, bound_to
from services.chassis.bus.event import Message
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import (
    Binary,
    CollectionSpec,
    Database,
    Document,
    DuplicateKeyError,
    IndexSpec,
    Session,
)

SECOND_FACTORS = "second_factors"

COLLECTIONS = (
    CollectionSpec(
        SECOND_FACTORS,
        indexes=(IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),),
        schema={
            "bsonType": "object",
            "required": ["_id", "secret", "created_at", "active", "last_step", "recovery_codes"],
            "properties": {
                "secret": {"bsonType": "binData"},
                "active": {"bsonType": "bool"},
                "created_at": {"bsonType": "date"},
                "last_step": {"bsonType": ["int", "long"]},
                "recovery_codes": {"bsonType": "array", "items": {"bsonType": "string"}},
            },
        },
        sealed={"secret": lambda document: bound_to(document["_id"])},
    ),
)


class SecondFactors:
    """The second factors of one database; what is told goes to its outbox."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox
        self._factors = database.collection(SECOND_FACTORS)

    async def find(self, sub: str) -> SecondFactor | None:
        """A person's, active or not, or None."""
        found = await self._factors.find_one({"_id": sub})
        return _factor(found) if found else None

    async def begin(self, factor: SecondFactor) -> None:
        """Keep one that is to be confirmed, in the place of another such. Raises `SecondFactorActive`."""
        document = {
            "secret": Binary(factor.secret),
            "created_at": factor.created_at,
            "active": False,
            "last_step": 0,
            "recovery_codes": [],
            "expires_at": factor.created_at + PENDING_FOR,
        }
        try:
            await self._factors.replace_one({"_id": factor.sub, "active": False}, document, upsert=True)
        except DuplicateKeyError as duplicate:
            raise SecondFactorActive from duplicate

    async def activate(
        self, pending: SecondFactor, step: int, codes: Sequence[str], now: datetime, told: Sequence[Message]
    ) -> bool:
        """Make the one that was confirmed active; False where it is not the pending one any more."""
        change = {"active": True, "confirmed_at": now, "last_step": step, "recovery_codes": list(codes)}
        wanted = {"_id": pending.sub, "active": False, "secret": Binary(pending.secret)}

        async def body(session: Session) -> bool:
            update = {"$set": change, "$unset": {"expires_at": ""}}
            changed = await self._factors.update_one(wanted, update, session=session)
            if changed.modified_count:
                await self._outbox.add(session, *told)
            return changed.modified_count == 1

        return await self._database.transact(body)

    async def use_step(self, sub: str, step: int) -> bool:
        """Use up a time step's code, and those of all steps before it; False where it was used up already."""
        wanted = {"_id": sub, "active": True, "last_step": {"$lt": step}}
        change = {"$set": {"last_step": step, "wrong_codes": 0}}
        return (await self._factors.update_one(wanted, change)).modified_count == 1

    async def count_wrong(self, sub: str, tell: Callable[[int], Sequence[Message]]) -> int:
        """Count a wrong code, and tell what is to be told when there were so many in a row; how many there were."""

        async def body(session: Session) -> int:
            await self._factors.update_one({"_id": sub}, {"$inc": {"wrong_codes": 1}}, session=session)
            found = await self._factors.find_one({"_id": sub}, session=session)
            number = int(found["wrong_codes"]) if found else 0
            await self._outbox.add(session, *tell(number))
            return number

        return await self._database.transact(body)

    async def use_recovery_code(self, sub: str, code: str, tell: Callable[[int], Sequence[Message]]) -> int | None:
        """Use up a recovery code and tell how many are left; the number, or None where there is no such code."""

        async def body(session: Session) -> int | None:
            wanted = {"_id": sub, "active": True, "recovery_codes": code}
            change = {"$pull": {"recovery_codes": code}, "$set": {"wrong_codes": 0}}
            used = await self._factors.update_one(wanted, change, session=session)
            found = await self._factors.find_one({"_id": sub}, session=session) if used.modified_count else None
            if found is None:
                return None
            left = len(found["recovery_codes"])
            await self._outbox.add(session, *tell(left))
            return left

        return await self._database.transact(body)

    async def replace_recovery_codes(self, sub: str, codes: Sequence[str], told: Sequence[Message]) -> bool:
        """Put new recovery codes in the place of all others; False where there is no active factor."""

        async def body(session: Session) -> bool:
            change = {"$set": {"recovery_codes": list(codes)}}
            changed = await self._factors.update_one({"_id": sub, "active": True}, change, session=session)
            if changed.modified_count:
                await self._outbox.add(session, *told)
            return changed.modified_count == 1

        return await self._database.transact(body)

    async def remove(self, sub: str, told: Sequence[Message]) -> bool:
        """Remove an active one, or one that was to be confirmed, of which nothing is told; False where there is none."""

        async def body(session: Session) -> bool:
            found = await self._factors.find_one({"_id": sub}, session=session)
            if found is None:
                return False
            await self._factors.delete_one({"_id": sub}, session=session)
            if found["active"]:
                await self._outbox.add(session, *told)
            return True

        return await self._database.transact(body)

    async def erase(self, sub: str) -> None:
        """Remove a person's, without a word."""
        await self._factors.delete_one({"_id": sub})


def _factor(document: Document) -> SecondFactor:
    return SecondFactor(
        document["_id"],
        bytes(document["secret"]),
        document["created_at"],
        document.get("confirmed_at"),
        document["last_step"],
        tuple(document["recovery_codes"]),
        document.get("wrong_codes", 0),
    )
