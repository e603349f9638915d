"""Signing keys, clients, families of refresh tokens, and the assertions that were used.

Every question here is one look-up by an index. What must happen once - the first key, a rotation, the use of an assertion -
is decided by a unique `_id` or by what an update filters on, never by a look before the write.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.chassis.mongo import (
    Collection,
    CollectionSpec,
    Database,
    Document,
    DuplicateKeyError,
    IndexSpec,
    Session,
)
from services.tokendealer.domain.clients import Client, PublicKey
from services.tokendealer.domain.families import Family, Standing
from services.tokendealer.domain.keys import SigningKey, bound_to

KEYS, CLIENTS, FAMILIES, ASSERTIONS = "signing_keys", "clients", "families", "assertions"
STANDINGS = "standings"
TEXT, TEXTS, MOMENT, BYTES = (
    {"bsonType": "string"},
    {"bsonType": "array"},
    {"bsonType": "date"},
    {"bsonType": "binData"},
)
NUMBER = {"bsonType": ["int", "long"], "minimum": 1}

COLLECTIONS = (
    CollectionSpec(
        KEYS,
        schema={
            "bsonType": "object",
            "required": ["_id", "kid", "signs_from", "n", "e", "sealed"],
            "properties": {"_id": NUMBER, "kid": TEXT, "signs_from": MOMENT, "sealed": BYTES},
        },
        sealed={"sealed": lambda document: bound_to(document["kid"])},
    ),
    CollectionSpec(
        CLIENTS,
        indexes=(
            IndexSpec((("owner", 1), ("_id", 1)), name="by_owner"),
            IndexSpec((("kind", 1), ("_id", 1)), name="by_kind"),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "name", "kind", "scopes", "grants", "audiences"],
            "properties": {"kind": {"enum": ["service", "app"]}, "scopes": TEXTS, "grants": TEXTS, "audiences": TEXTS},
        },
    ),
    CollectionSpec(
        FAMILIES,
        indexes=(
            IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),
            IndexSpec((("sub", 1), ("created_at", -1)), name="by_person"),
            IndexSpec((("client_id", 1),), name="by_client"),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "sub", "client_id", "scopes", "generation", "seed", "rotated_at", "expires_at"],
            "properties": {
                "sub": TEXT,
                "client_id": TEXT,
                "scopes": TEXTS,
                "generation": NUMBER,
                "seed": BYTES,
                "rotated_at": MOMENT,
                "expires_at": MOMENT,
            },
        },
    ),
    CollectionSpec(
        STANDINGS,
        schema={
            "bsonType": "object",
            "required": ["_id", "version", "scopes", "barred"],
            "properties": {"version": NUMBER, "scopes": TEXTS, "barred": {"bsonType": "bool"}},
        },
    ),
    CollectionSpec(ASSERTIONS, indexes=(IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),)),
)


class Taken(Exception):
    """Another was first: the generation of a key, or the id of a client or a family, is there."""


class KeyStore:
    """The signing keys. There are never more than a few."""

    def __init__(self, database: Database) -> None:
        self._keys = database.collection(KEYS)

    async def all(self) -> list[SigningKey]:
        """All of them, oldest first."""
        return [_key(document) async for document in self._keys.find().sort("_id", 1)]

    async def add(self, key: SigningKey, session: Session | None = None) -> None:
        """Add a key. Raises `Taken` where its generation is there: another was first."""
        await _insert(self._keys, {"_id": key.generation, **_fields(key, "generation")}, session)

    async def revoke_before(self, generation: int, now: datetime) -> None:
        """Withdraw every key before this one: what they signed is refused as soon as verifiers hear of it."""
        filter_ = {"_id": {"$lt": generation}, "revoked_at": None}
        await self._keys.update_many(filter_, {"$set": {"revoked_at": now}})

    async def remove(self, generations: Sequence[int]) -> None:
        """Forget keys that nothing can be verified with any more."""
        await self._keys.delete_many({"_id": {"$in": list(generations)}})


class ClientStore:
    """The clients."""

    def __init__(self, database: Database) -> None:
        self._clients = database.collection(CLIENTS)

    async def find(self, client_id: str) -> Client | None:
        """The client of this id, or None."""
        found = await self._clients.find_one({"_id": client_id})
        return _client(found) if found else None

    async def all(self) -> list[Client]:
        """All of them, services first."""
        return [_client(document) async for document in self._clients.find().sort([("kind", -1), ("_id", 1)])]

    async def add(self, client: Client, session: Session | None = None) -> None:
        """Add a client. Raises `Taken`."""
        await _insert(self._clients, {"_id": client.id, **_fields(client, "id")}, session)

    async def introduce(self, client: Client, key: PublicKey) -> None:
        """See that this client is there and known by this key, beside any it has. Safe to run by several at once."""
        fields = _fields(client, "id")
        fresh = {name: fields[name] for name in ("created_at", "secrets")}
        current = {name: fields[name] for name in ("name", "kind", "scopes", "grants", "audiences")}
        change = {"$set": current, "$setOnInsert": fresh, "$addToSet": {"keys": _fields(key)}}
        try:
            await self._clients.update_one({"_id": client.id}, change, upsert=True)
        except DuplicateKeyError:  # two upserts at once: the other one has inserted it
            await self._clients.update_one({"_id": client.id}, change)

    async def apps(self, owner: str | None, after: str | None, limit: int) -> list[Client]:
        """The apps of a person, or of everybody, in the order of their ids, from one on."""
        filter_: Document = {"kind": "app"} if owner is None else {"owner": owner}
        if after is not None:
            filter_["_id"] = {"$gt": after}
        return [_client(document) async for document in self._clients.find(filter_).sort("_id", 1).limit(limit)]

    async def count_of(self, owner: str) -> int:
        """How many apps a person has."""
        return int(await self._clients.count_documents({"owner": owner}))

    async def replace(self, before: Client, after: Client, session: Session | None = None) -> bool:
        """Put a client in the place of its version before; False where that is not the current one any more."""
        filter_ = {"_id": before.id, "version": before.version if before.version > 1 else {"$in": [1, None]}}
        replaced = await self._clients.replace_one(filter_, _fields(after, "id"), session=session)
        return bool(replaced.matched_count)

    async def remove(self, client_id: str, session: Session | None = None) -> bool:
        """Remove a client; whether it was there."""
        return (await self._clients.delete_one({"_id": client_id}, session=session)).deleted_count == 1


class FamilyStore:
    """The families of refresh tokens."""

    def __init__(self, database: Database) -> None:
        self._families = database.collection(FAMILIES)

    async def add(self, family: Family) -> None:
        """Begin a family. Raises `Taken`."""
        await _insert(self._families, {"_id": family.id, **_fields(family, "id")})

    async def find(self, family_id: str, now: datetime) -> Family | None:
        """The family of this id that has not expired, or None."""
        found = await self._families.find_one({"_id": family_id, "expires_at": {"$gt": now}})
        return _family(found) if found else None

    async def rotate(self, family: Family, now: datetime, expires_at: datetime) -> Family | None:
        """The family in its next generation; None where somebody else was first, or it has ended."""
        filter_ = {"_id": family.id, "generation": family.generation, "expires_at": {"$gt": now}}
        change = {"$inc": {"generation": 1}, "$set": {"rotated_at": now, "expires_at": expires_at}}
        if not (await self._families.update_one(filter_, change)).matched_count:
            return None
        found = await self.find(family.id, now)
        return msgspec.structs.replace(found, generation=family.generation + 1) if found else None

    async def end(self, family_id: str, *, sub: str | None = None) -> bool:
        """End a family, of this person where one is named; whether it was there."""
        filter_ = {"_id": family_id} if sub is None else {"_id": family_id, "sub": sub}
        return (await self._families.delete_one(filter_)).deleted_count == 1

    async def of_person(self, sub: str, now: datetime) -> list[Family]:
        """The families of a person that have not expired, newest first."""
        found = self._families.find({"sub": sub, "expires_at": {"$gt": now}}).sort("created_at", -1)
        return [_family(document) async for document in found]

    async def end_all_of_person(self, sub: str, *, keep: str | None = None) -> int:
        """End every family of a person but one; how many there were."""
        filter_ = {"sub": sub} if keep is None else {"sub": sub, "_id": {"$ne": keep}}
        return (await self._families.delete_many(filter_)).deleted_count

    async def end_all_of_person_with(self, sub: str, client_id: str) -> int:
        """End every family of a person through one client; how many there were."""
        return (await self._families.delete_many({"sub": sub, "client_id": client_id})).deleted_count

    async def end_all_of_client(self, client_id: str) -> int:
        """End every family of a client; how many there were."""
        return (await self._families.delete_many({"client_id": client_id})).deleted_count

    async def lessen(self, client_id: str, scopes: Sequence[str]) -> None:
        """Leave the families of a client no more than these scopes."""
        await self._families.update_many({"client_id": client_id}, {"$pull": {"scopes": {"$nin": list(scopes)}}})

    async def allow(self, sub: str, client_id: str, scopes: Sequence[str], until: datetime | None) -> None:
        """Change what a person may do: all of it through this client, until then, and through any other no more than it."""
        settled = {"$set": {"scopes": list(scopes), "until": until}}
        await self._families.update_many({"sub": sub, "client_id": client_id}, settled)
        lessened = {"$pull": {"scopes": {"$nin": list(scopes)}}}
        await self._families.update_many({"sub": sub, "client_id": {"$ne": client_id}}, lessened)


class StandingStore:
    """How people stand, by the newest version of their account that we heard of. Who was never told of may do as ordered."""

    def __init__(self, database: Database) -> None:
        self._standings = database.collection(STANDINGS)

    async def find(self, sub: str) -> Standing | None:
        """How a person stands, or None."""
        found = await self._standings.find_one({"_id": sub})
        return msgspec.convert({"sub": found.pop("_id"), **found}, Standing) if found else None

    async def note(self, standing: Standing) -> Standing:
        """Keep it, unless a newer one is there; the newest."""
        fields = _fields(standing, "sub")
        try:
            await _insert(self._standings, {"_id": standing.sub, **fields})
        except Taken:
            older = {"_id": standing.sub, "version": {"$lt": standing.version}}
            await self._standings.update_one(older, {"$set": fields})
        return await self.find(standing.sub) or standing

    async def forget(self, sub: str) -> None:
        """Forget a person."""
        await self._standings.delete_one({"_id": sub})


class AssertionStore:
    """The assertions that clients have used, until they would have expired anyway (RFC 7523, 3: `jti`)."""

    def __init__(self, database: Database) -> None:
        self._assertions = database.collection(ASSERTIONS)

    async def use(self, client_id: str, jti: str, expires_at: datetime) -> bool:
        """Use an assertion up; whether this was the first time."""
        try:
            await _insert(self._assertions, {"_id": f"{client_id}/{jti}", "expires_at": expires_at})
        except Taken:
            return False
        return True


async def _insert(collection: Collection, document: Document, session: Session | None = None) -> None:
    try:
        await collection.insert_one(document, session=session)
    except DuplicateKeyError as duplicate:
        raise Taken from duplicate


def _fields(value: msgspec.Struct, *but: str) -> Document:
    """The fields of a struct as a document has them; datetimes and bytes stay what they are."""
    fields: Any = msgspec.to_builtins(value, builtin_types=(datetime, bytes))
    return {name: field for name, field in fields.items() if name not in but}


def _key(document: Document) -> SigningKey:
    return msgspec.convert({"generation": document.pop("_id"), **document}, SigningKey)


def _client(document: Document) -> Client:
    return msgspec.convert({"id": document.pop("_id"), **document}, Client)


def _family(document: Document) -> Family:
    return msgspec.convert({"id": document.pop("_id"), **document}, Family)
