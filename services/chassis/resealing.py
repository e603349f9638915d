"""What a key-encryption key sealed, sealed anew with the one that seals now: so that the other can go.

What was sealed is found by what stores declare (`CollectionSpec.sealed`). Each value is replaced where it is still what was
read, so that nobody who writes meanwhile loses anything, and what was done before an interruption is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from services.chassis.mongo import Binary, CollectionSpec, Database
from services.chassis.secrets import Secrets, WrongKey


class Resealed(Struct, frozen=True):
    """How many values of a collection were sealed anew, and how many open with no key that we have."""

    collection: str
    anew: int
    lost: int


async def reseal(database: Database, specs: Iterable[CollectionSpec], box: Secrets) -> list[Resealed]:
    """Seal anew what another key sealed in these collections; safe to run again, and while others write."""
    return [await _reseal(database, spec, field, box) for spec in specs if spec.sealed for field in sorted(spec.sealed)]


async def _reseal(database: Database, spec: CollectionSpec, field: str, box: Secrets) -> Resealed:
    collection, bound_to = database.collection(spec.name), spec.sealed[field]
    anew = lost = 0
    async for document in collection.find({field: {"$exists": True}}):
        sealed, binding = bytes(document[field]), bound_to(document)
        if box.is_current(sealed):
            continue
        try:
            fresh = box.seal(box.open(sealed, bound_to=binding), bound_to=binding)
        except WrongKey:
            lost += 1
            continue
        wanted = {"_id": document["_id"], field: Binary(sealed)}
        anew += (await collection.update_one(wanted, {"$set": {field: Binary(fresh)}})).modified_count
    return Resealed(spec.name, anew, lost)
