"""`Idempotency-Key`: the answer to a request is committed with its effect, and given again to the same request.

A key is reserved before the work starts; the store writes the answer in the transaction that makes the effect, through
`Once.keep`. So a process killed at any moment leaves either both or neither. The same key with another input is refused (422),
one still in flight asks to wait (409 with `Retry-After`), a failed one is free again. A reservation left by a killed process
is taken over after its lease. Answers are kept for 24 hours.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from msgspec import Struct

from services.chassis.answers import Answer
from services.chassis.mongo import (
    CollectionSpec,
    Database,
    DatabaseError,
    Document,
    DuplicateKeyError,
    IndexSpec,
    Session,
)
from services.chassis.problems import Conflict, Invalid, Malformed
from services.chassis.replies import Reply
from services.chassis.secrets import Secrets

T = TypeVar("T")

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT_FOR = timedelta(hours=24)
LEASE = timedelta(seconds=35)  # longer than a request may take; who takes over too early is refused at the commit

COLLECTION = CollectionSpec(
    "idempotency",
    indexes=(
        IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),
        IndexSpec((("sub", 1),), name="by_person"),
    ),
)


class KeyRequired(Malformed):
    """The call is only safe to repeat with an `Idempotency-Key`."""

    kind = "idempotency-key-required"
    title = "Send an Idempotency-Key"


class KeyReused(Invalid):
    """The key came before with another input."""

    kind = "idempotency-key-reused"
    title = "This Idempotency-Key was used for another input"


class InFlight(Conflict):
    """The first request with this key has not been answered yet."""

    kind = "idempotency-key-in-flight"
    title = "The first request with this Idempotency-Key is still being worked on"


class Reservation(Struct, frozen=True):
    """The right to do the work of one key. `token` tells it from a later one that took over after the lease."""

    id: str
    token: str


Encode = Callable[[Answer[Any]], Reply]


class Once(Generic[T]):
    """What a use case hands to its store, so that the answer is written with the effect. Without a key it does nothing."""

    def __init__(self, keys: Keys | None = None, held: Reservation | None = None, encode: Encode | None = None) -> None:
        self._keys = keys
        self._held = held
        self._encode = encode
        self._present: Callable[[T], Answer[Any]] | None = None
        self.kept = held is None

    def answering(self, present: Callable[[T], Answer[Any]]) -> Once[T]:
        """Set how the result of the use case becomes the answer; the handler does this before it calls the use case."""
        self._present = present
        return self

    async def keep(self, session: Session | None, result: T) -> None:
        """Write the answer to `result` in the running transaction. Safe to repeat when the transaction is.

        Raises `InFlight` where another request took this key over, which ends the transaction.
        """
        if self._keys is None or self._held is None or self._encode is None or self._present is None:
            return
        await self._keys.complete(session, self._held, self._encode(self._present(result)))
        self.kept = True

    async def release(self) -> None:
        """Free the key, where there is one: the work failed, and may be tried again."""
        if self._keys is None or self._held is None:
            return
        with contextlib.suppress(DatabaseError):  # away: the key is free when its lease ends
            await self._keys.release(self._held)


def digest(where: str, content: bytes) -> str:
    """What tells one input from another: where it was sent, and the bytes (of the file, where it came in a form)."""
    return hashlib.sha256(b"\0".join((where.encode(), content))).hexdigest()


def unkeyed() -> Once[Any]:
    """A `Once` for work that no request with a key asked for."""
    return Once()


class Keys:
    """The keys of one service, in its own database.

    Of an input only a keyed hash is kept: there may be a password in it, which a plain one would let somebody guess.
    """

    def __init__(self, database: Database, box: Secrets) -> None:
        self._keys = database.collection(COLLECTION.name)
        self._box = box

    async def reserve(self, operation_id: str, sub: str, key: str, digest: str, encode: Encode) -> Once[Any] | Reply:
        """The right to do the work, or the answer where it was done already.

        Raises `KeyReused` for another input, `InFlight` while the first is being worked on, `Malformed` for no usable key.
        """
        if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
            raise Malformed(f"An {HEADER} has 1 to {LONGEST_KEY} printable ASCII characters")
        name = hashlib.sha256(f"{operation_id}\0{sub}\0{key}".encode()).hexdigest()
        digest = self._box.keyed_hash("idempotency", digest)
        now = datetime.now(UTC)
        held = Reservation(name, secrets.token_hex(8))
        document = {
            "_id": name,
            "sub": sub,
            "digest": digest,
            "token": held.token,
            "lease_until": now + LEASE,
            "expires_at": now + KEPT_FOR,
        }
        try:
            await self._keys.insert_one(document)
        except DuplicateKeyError:
            kept = await self._join(held, digest, now)
            if kept is not None:
                return kept
        return Once(self, held, encode)

    async def _join(self, held: Reservation, digest: str, now: datetime) -> Reply | None:
        """The answer that is kept; None where the reservation of who went before was taken over."""
        found: Document | None = await self._keys.find_one({"_id": held.id})
        if found is None:
            raise InFlight(retry_after_s=1)
        if found["digest"] != digest:
            raise KeyReused(f"This {HEADER} came with another input before: use a new one")
        if "status" in found:
            return Reply(found["status"], found["headers"], bytes(found["body"]))
        taken = await self._keys.update_one(
            {"_id": held.id, "token": found["token"], "lease_until": {"$lt": now}, "status": {"$exists": False}},
            {"$set": {"token": held.token, "lease_until": now + LEASE}},
        )
        if taken.modified_count == 0:
            raise InFlight(retry_after_s=1)
        return None

    async def complete(self, session: Session | None, held: Reservation, answer: Reply) -> None:
        """Write the answer beside its effect. Raises `InFlight` where the reservation was lost to another."""
        changed = await self._keys.update_one(
            {"_id": held.id, "token": held.token},
            {"$set": {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}},
            session=session,
        )
        if changed.matched_count == 0:
            raise InFlight(retry_after_s=1)

    async def release(self, held: Reservation) -> None:
        """Free a key whose work failed, so that it can be tried again."""
        await self._keys.delete_one({"_id": held.id, "token": held.token, "status": {"$exists": False}})

    async def forget(self, sub: str) -> None:
        """Remove every answer that was given to a person."""
        await self._keys.delete_many({"sub": sub})
