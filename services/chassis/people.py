"""The people protocol: what every owner of personal data does when a person takes it out, or wants it gone.

`GET /internal/v1/people/{sub}` streams all that a service holds of a person as a tar archive; `DELETE` removes it. A service
implements `PeopleOwner` and hands it back when it is built; the rest is here, also for what the chassis itself keeps for a
service: idempotent answers, outbox, inbox, live streams, messages on the bus. A deletion leaves a tombstone, a keyed hash of
the id, until every token and retry has expired, so that a late event brings nobody back.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct

from services.chassis.answers import Stream
from services.chassis.endpoint import Endpoint, Route
from services.chassis.mongo import CollectionSpec, Database, IndexSpec
from services.chassis.operations import operation
from services.chassis.scopes import SERVICE
from services.chassis.secrets import Secrets

TOMBSTONE_KEPT_FOR = timedelta(days=30)
BLOCK = tarfile.BLOCKSIZE

TOMBSTONES = CollectionSpec("tombstones", indexes=(IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),))


class Belonging(Struct, frozen=True):
    """One thing that a service holds of a person: a path that says what it is, and its bytes (JSON, or a file as it came)."""

    path: str
    content: bytes


class PeopleOwner(Protocol):
    """What a service that holds personal data implements."""

    def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """Everything that is held of this person, one at a time."""

    async def erase(self, sub: str) -> None:
        """Remove it all. It must be safe to call again, after an interruption too."""


Forget = Callable[[str], Awaitable[object]]


class Tombstones:
    """The people that were deleted a while ago, known by a keyed hash only."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._stones = database.collection(TOMBSTONES.name)
        self._secrets = secrets

    async def bury(self, sub: str) -> None:
        """Remember that this person is gone."""
        stone = {"expires_at": datetime.now(UTC) + TOMBSTONE_KEPT_FOR}
        await self._stones.update_one({"_id": self._name(sub)}, {"$set": stone}, upsert=True)

    async def holds(self, sub: str) -> bool:
        """Whether this person was deleted: whatever arrives of them now is late, and dropped."""
        return await self._stones.find_one({"_id": self._name(sub)}, {"_id": 1}) is not None

    def _name(self, sub: str) -> str:
        return self._secrets.keyed_hash("tombstone", sub)


class People:
    """One service's side of the protocol."""

    def __init__(self, owner: PeopleOwner, tombstones: Tombstones, forget: Sequence[Forget]) -> None:
        self._owner = owner
        self._tombstones = tombstones
        self._forget = forget

    async def takeout(self, sub: str) -> AsyncIterator[bytes]:
        """All that is held of a person, as the chunks of a tar archive."""
        async for belonging in self._owner.takeout(sub):
            for chunk in as_member(belonging):
                yield chunk
        yield bytes(2 * BLOCK)

    async def erase(self, sub: str) -> None:
        """Remove all that is held of a person, here and in the queues."""
        await self._tombstones.bury(sub)
        await self._owner.erase(sub)
        for forget in self._forget:
            await forget(sub)


def as_member(belonging: Belonging) -> tuple[bytes, bytes, bytes]:
    """One member of a tar archive: header, content, padding (POSIX.1-2001, pax)."""
    member = tarfile.TarInfo(belonging.path)
    member.size = len(belonging.content)
    return member.tobuf(tarfile.PAX_FORMAT), belonging.content, bytes(-member.size % BLOCK)


class Person(Endpoint[Any]):
    """What this service holds of one person."""

    @operation("takeOutPerson", scope=SERVICE, timeout_s=600)
    async def get(self, sub: str) -> Stream:
        """Stream all that is held of a person, as a tar archive."""
        return Stream(self.serving.held_people.takeout(sub), "application/x-tar")

    @operation("erasePerson", scope=SERVICE, timeout_s=600)
    async def delete(self, sub: str) -> None:
        """Remove all that is held of a person."""
        await self.serving.held_people.erase(sub)


ROUTES = (Route("/internal/v1/people/{sub}", Person),)
