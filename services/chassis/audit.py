"""The audit trail, as every service writes in it: who did what, by a right that not everybody has, to whom or to what.

An act is told as an event, added to the outbox in the transaction of the act itself: neither is there without the other.
Accounts hears it and keeps the trail. People are in it as a keyed hash, under which nobody is found again who is gone; the
id travels beside it sealed, so that accounts can note under which hash a person is known while that person is here.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from services.chassis.bus.event import Event
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Database, Session
from services.chassis.secrets import Secrets, WrongKey

T = TypeVar("T")

RECORDED = "audit.recorded"
PERSON, OPERATOR = "person", "operator"
KEY_PURPOSE, SEAL_PURPOSE = "audit.party", "audit.person"


class Party(Struct, frozen=True):
    """Who did something, or what it was done to. `key` is the keyed hash of its id, which only a thing has in `id`.

    `sealed` is the id of a person, for accounts alone; it is never kept.
    """

    kind: str
    key: str = ""
    id: str | None = None
    sealed: str = ""


class Act(Struct, frozen=True):
    """One privileged act. `details` says what can't be seen from the rest; nothing in it tells of a person."""

    id: str
    at: datetime
    service: str
    action: str
    actor: Party
    subject: Party | None
    details: dict[str, str]


OPERATORS = Party(OPERATOR)
"""Whoever can run a command where Runnerly runs; who that is, the system there knows."""


@dataclass(frozen=True, slots=True)
class Auditor:
    """What a service tells of its privileged acts with."""

    service: str
    secrets: Secrets
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def key(self, id_: str) -> str:
        """What the trail knows somebody or something by."""
        return self.secrets.keyed_hash(KEY_PURPOSE, id_)

    def person(self, sub: str) -> Party:
        """A person."""
        sealed = self.secrets.seal(sub.encode(), bound_to=SEAL_PURPOSE)
        return Party(PERSON, self.key(sub), sealed=base64.urlsafe_b64encode(sealed).decode())

    def thing(self, kind: str, id_: str) -> Party:
        """What is nobody: an app, a key."""
        return Party(kind, self.key(id_), id_)

    def who(self, party: Party | None) -> str | None:
        """The id of a person; None for what is none, and for what another key-encryption key sealed."""
        if party is None or not party.sealed:
            return None
        try:
            return self.secrets.open(base64.urlsafe_b64decode(party.sealed), bound_to=SEAL_PURPOSE).decode()
        except (binascii.Error, WrongKey):
            return None

    def act(self, action: str, actor: Party, subject: Party | None = None, **details: str) -> Act:
        """An act of now."""
        return Act(secrets.token_hex(16), self.clock(), self.service, action, actor, subject, details)

    def told(self, action: str, actor: Party, subject: Party | None = None, **details: str) -> Event:
        """An act of now, as the event that tells of it."""
        return self.event(self.act(action, actor, subject, **details))

    def event(self, act: Act) -> Event:
        """What tells of an act. It has no `sub`: it outlives the people in it."""
        return Event.of(RECORDED, key=self.service, version=0, data=msgspec.to_builtins(act))


@dataclass(frozen=True, slots=True)
class Acts:
    """Writes of a service, each in one transaction with what is told of it."""

    database: Database
    outbox: Outbox

    async def do(self, write: Callable[[Session], Coroutine[Any, Any, T]], told: Sequence[Event]) -> T:
        """What `write` returns. It may run more than once. Nothing is told of a write that did nothing (False)."""

        async def body(session: Session) -> T:
            result = await write(session)
            if result is not False:
                await self.outbox.add(session, *told)
            return result

        return await self.database.transact(body)

    async def tell(self, *told: Event) -> None:
        """Tell of what writes nothing: a look."""

        async def nothing(_: Session) -> None:
            return

        await self.do(nothing, told)


def act_in(event: Event) -> Act:
    """The act that an event tells of. Raises `msgspec.ValidationError`."""
    return msgspec.convert(event.data, Act)
