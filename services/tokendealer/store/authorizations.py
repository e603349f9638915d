"""Authorization codes, and what people let apps do.

A code is traded by an update that filters on its not having been: of two at once, one finds it gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.chassis.mongo import CollectionSpec, Database, Document, DuplicateKeyError, IndexSpec
from services.tokendealer.domain.authorizations import Code, Consent

CODES, CONSENTS = "codes", "consents"
TEXT, TEXTS, MOMENT = {"bsonType": "string"}, {"bsonType": "array"}, {"bsonType": "date"}

COLLECTIONS = (
    CollectionSpec(
        CODES,
        indexes=(
            IndexSpec((("forgotten_at", 1),), name="expiry", expire_after_s=0),
            IndexSpec((("sub", 1), ("client_id", 1)), name="by_person"),
            IndexSpec((("client_id", 1),), name="by_client"),
        ),
        schema={
            "bsonType": "object",
            "required": [
                "_id",
                "client_id",
                "sub",
                "redirect_uri",
                "challenge",
                "scopes",
                "expires_at",
                "forgotten_at",
            ],
            "properties": {
                "client_id": TEXT,
                "sub": TEXT,
                "redirect_uri": TEXT,
                "challenge": TEXT,
                "scopes": TEXTS,
                "expires_at": MOMENT,
                "forgotten_at": MOMENT,
            },
        },
    ),
    CollectionSpec(
        CONSENTS,
        indexes=(
            IndexSpec((("sub", 1), ("client_id", 1)), name="by_person", unique=True),
            IndexSpec((("client_id", 1),), name="by_client"),
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "client_id", "sub", "scopes", "created_at", "changed_at"],
            "properties": {"client_id": TEXT, "sub": TEXT, "scopes": TEXTS, "created_at": MOMENT, "changed_at": MOMENT},
        },
    ),
)


class CodeStore:
    """The codes, by their keyed hash."""

    def __init__(self, database: Database) -> None:
        self._codes = database.collection(CODES)

    async def add(self, code: Code) -> None:
        """Keep a code."""
        fields = msgspec.to_builtins(code, builtin_types=(datetime,))
        await self._codes.insert_one({"_id": fields.pop("id"), **fields})

    async def find(self, code_id: str) -> Code | None:
        """The code of this id, traded or not, or None."""
        found = await self._codes.find_one({"_id": code_id})
        return _code(found) if found else None

    async def trade(self, code_id: str, family: str, now: datetime) -> bool:
        """Trade the code for this family; False where it was traded before, or has expired."""
        filter_ = {"_id": code_id, "family": None, "replayed": False, "expires_at": {"$gt": now}}
        return bool((await self._codes.update_one(filter_, {"$set": {"family": family}})).matched_count)

    async def mark_replayed(self, code_id: str) -> Code | None:
        """The code, with the note that somebody tried to use it again."""
        await self._codes.update_one({"_id": code_id}, {"$set": {"replayed": True}})
        return await self.find(code_id)

    async def of_person(self, sub: str) -> list[Code]:
        """The codes that were made for a person lately."""
        return [_code(document) async for document in self._codes.find({"sub": sub}).sort("created_at", 1)]

    async def end_all(self, *, sub: str | None = None, client_id: str | None = None) -> None:
        """Forget the codes of a person, of an app, or of a person for an app."""
        await self._codes.delete_many(_of(sub, client_id))

    async def lessen(self, scopes: Sequence[str], *, sub: str | None = None, client_id: str | None = None) -> None:
        """Leave them no more than these scopes."""
        await self._codes.update_many(_of(sub, client_id), {"$pull": {"scopes": {"$nin": list(scopes)}}})


class ConsentStore:
    """What people let apps do."""

    def __init__(self, database: Database) -> None:
        self._consents = database.collection(CONSENTS)

    async def find(self, sub: str, client_id: str) -> Consent | None:
        """What this person let this app do, or None."""
        found = await self._consents.find_one({"_id": _name(sub, client_id)})
        return _consent(found) if found else None

    async def of_person(self, sub: str) -> list[Consent]:
        """All that a person let apps do, newest first."""
        found = self._consents.find({"sub": sub}).sort("changed_at", -1)
        return [_consent(document) async for document in found]

    async def give(self, sub: str, client_id: str, scopes: Sequence[str], now: datetime) -> None:
        """Let an app do this, beside what it may already."""
        change = {
            "$addToSet": {"scopes": {"$each": list(scopes)}},
            "$set": {"changed_at": now},
            "$setOnInsert": {"sub": sub, "client_id": client_id, "created_at": now},
        }
        name = {"_id": _name(sub, client_id)}
        try:
            await self._consents.update_one(name, change, upsert=True)
        except DuplicateKeyError:  # two upserts at once: the other one has inserted it
            await self._consents.update_one(name, change)

    async def withdraw(self, *, sub: str | None = None, client_id: str | None = None) -> int:
        """Let an app do nothing more for a person, an app for anybody, or any app for a person; how many consents that ends."""
        return (await self._consents.delete_many(_of(sub, client_id))).deleted_count

    async def lessen(self, scopes: Sequence[str], *, sub: str | None = None, client_id: str | None = None) -> None:
        """Leave them no more than these scopes."""
        await self._consents.update_many(_of(sub, client_id), {"$pull": {"scopes": {"$nin": list(scopes)}}})


def _of(sub: str | None, client_id: str | None) -> Document:
    named = {"sub": sub, "client_id": client_id}
    filter_ = {name: value for name, value in named.items() if value is not None}
    if not filter_:
        raise ValueError("Say whose")
    return filter_


def _name(sub: str, client_id: str) -> str:
    return f"{client_id}/{sub}"


def _code(document: Document) -> Code:
    return msgspec.convert({"id": document.pop("_id"), **document}, Code)


def _consent(document: Document) -> Consent:
    return msgspec.convert({name: value for name, value in document.items() if name != "_id"}, Consent)
