"""The devices that somebody signed in with, each as a keyed hash: enough to know one again, and nothing to read or to follow.

A device is forgotten half a year after its last sign-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.chassis.bus.event import Message
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import CollectionSpec, Database, DuplicateKeyError, IndexSpec, Session

KNOWN_DEVICES = "known_devices"
KEPT_FOR = timedelta(days=180)
RENEWED_AFTER = timedelta(days=1)

COLLECTIONS = (
    CollectionSpec(
        KNOWN_DEVICES,
        indexes=(
            IndexSpec((("sub", 1),), name="by_person"),
            IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),
        ),
    ),
)


class KnownDevices:
    """The known devices of one database; what is told goes to its outbox."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox
        self._devices = database.collection(KNOWN_DEVICES)

    async def meet_again(self, name: str, now: datetime) -> bool:
        """Whether this device is known; it stays so from now on."""
        found = await self._devices.find_one({"_id": name})
        if found is None:
            return False
        if found["expires_at"] < now + KEPT_FOR - RENEWED_AFTER:
            await self._devices.update_one({"_id": name}, {"$set": {"expires_at": now + KEPT_FOR}})
        return True

    async def any_of(self, sub: str) -> bool:
        """Whether a person has any."""
        return await self._devices.find_one({"sub": sub}, {"_id": 1}) is not None

    async def add(self, name: str, sub: str, now: datetime, told: Sequence[Message]) -> None:
        """Know a device, and tell of it; nothing where it has become known at this moment."""

        async def body(session: Session) -> None:
            await self._devices.insert_one({"_id": name, "sub": sub, "expires_at": now + KEPT_FOR}, session=session)
            await self._outbox.add(session, *told)

        try:
            await self._database.transact(body)
        except DuplicateKeyError:
            return

    async def erase(self, sub: str) -> None:
        """Forget a person's."""
        await self._devices.delete_many({"sub": sub})
