"""The people protocol: what every owner of personal data does when a person takes it out, or wants it gone.

`GET /internal/v1/people/{sub}` (`people_endpoint`) streams all that a service holds of a person as a tar archive; `DELETE`
removes it. A service implements `PeopleOwner` and hands it back when it is built; the rest is here, also for what the chassis
itself keeps for a service: idempotent answers, outbox, inbox, live streams, messages on the bus.

`GET /internal/v1/people/{sub}/commitments` says whether something is under way for a person that must not end without their
doing. Accounts asks before it removes an account that nobody confirmed; who leaves by their own will is not kept by it.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from typing import ClassVar, Protocol, runtime_checkable

from msgspec import Struct

from services.chassis.holdings import Holding, schema_file, schema_path
from services.chassis.tombstones import Tombstones

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


class Belonging(Struct, frozen=True):
    """One thing that a service holds of a person: a path that says what it is, and its bytes (JSON, or a file as it came)."""

    path: str
    content: bytes


class Kept(Struct, frozen=True):
    """What a service had to keep of a person who is gone, without saying whose it was: what, why, and until when."""

    what: str
    why: str
    until: date | None = None


class Erased(Struct, frozen=True):
    """What is left of a person here after a deletion."""

    kept: tuple[Kept, ...] = ()


class PeopleOwner(Protocol):
    """What a service that holds personal data implements. `holdings` declares every kind of thing that `takeout` gives."""

    holdings: ClassVar[tuple[Holding, ...]]

    def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """Everything that is held of this person, one at a time."""

    async def erase(self, sub: str) -> Erased:
        """Remove it all, but what a law says to keep. It must be safe to call again, after an interruption too."""


@runtime_checkable
class Bound(Protocol):
    """What an owner of personal data implements, too, where something may be under way for people, like a booking."""

    async def is_bound(self, sub: str) -> bool:
        """Whether something is."""


class Commitments(Struct, frozen=True):
    """Whether something is under way for a person."""

    any: bool


Forget = Callable[[str], Awaitable[object]]


class People:
    """One service's side of the protocol."""

    def __init__(self, service: str, owner: PeopleOwner, tombstones: Tombstones, forget: Sequence[Forget]) -> None:
        self._service = service
        self._owner = owner
        self._tombstones = tombstones
        self._forget = forget

    async def takeout(self, sub: str) -> AsyncIterator[bytes]:
        """All that is held of a person, as the chunks of a tar archive; the first file is the JSON Schema of the others."""
        schema = schema_file(self._service, self._owner.holdings)
        for chunk in as_member(Belonging(schema_path(self._service), schema)):
            yield chunk
        async for belonging in self._owner.takeout(sub):
            for chunk in as_member(belonging):
                yield chunk
        yield END

    async def erase(self, sub: str) -> Erased:
        """Remove all that is held of a person, here and in the queues."""
        await self._tombstones.bury(sub)
        erased = await self._owner.erase(sub)
        for forget in self._forget:
            await forget(sub)
        return erased

    async def commitments(self, sub: str) -> Commitments:
        """Whether something is under way for a person."""
        return Commitments(isinstance(self._owner, Bound) and await self._owner.is_bound(sub))


def as_member(belonging: Belonging) -> tuple[bytes, bytes, bytes]:
    """One member of a tar archive: header, content, padding (POSIX.1-2001, pax)."""
    member = tarfile.TarInfo(belonging.path)
    member.size = len(belonging.content)
    return member.tobuf(tarfile.PAX_FORMAT), belonging.content, bytes(-member.size % BLOCK)
