"""Whole collections as the bytes they are stored as, for what moves them and does not read them: backup and restore.

Documents stay BSON from one server to the other, so that nothing is lost in a translation, types we do not use included.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from bson import decode
from bson.codec_options import CodecOptions
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from bson.raw_bson import RawBSONDocument
from msgspec import Struct
from pymongo import ASCENDING

from services.chassis.mongo import Database, Session, within_deadline

BATCH = 1000
SLOW_S = 3600.0  # going through or dropping all of a collection takes longer than an operation of a request may
FILES, CHUNKS = ".files", ".chunks"  # the two collections of a GridFS bucket
SMALLEST_DOCUMENT = 5

_AS_STORED: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class Shape(Struct, frozen=True):
    """One collection without its documents: its options (validator, collation, ...) and indexes, as extended JSON."""

    name: str
    kind: str
    options: dict[str, Any]
    indexes: tuple[dict[str, Any], ...]

    @property
    def expires(self) -> bool:
        """Whether the server removes documents here by itself (a TTL index)."""
        return any("expireAfterSeconds" in index for index in self.indexes)


class BrokenBSON(ValueError):
    """These bytes are not a row of BSON documents."""


async def shapes(database: Database) -> list[Shape]:
    """The shapes of all collections of a database, by name."""
    listed = await database.command({"listCollections": 1, "cursor": {"batchSize": 10_000}})
    found = [info for info in listed["cursor"]["firstBatch"] if not info["name"].startswith("system.")]
    return [
        Shape(
            info["name"],
            info["type"],
            _as_json(info["options"]),
            await _indexes(database, info["name"]) if info["type"] == "collection" else (),
        )
        for info in sorted(found, key=lambda info: str(info["name"]))
    ]


async def _indexes(database: Database, collection: str) -> tuple[dict[str, Any], ...]:
    listed = [dict(index) async for index in database.collection(collection).list_indexes()]
    own = ({key: index[key] for key in index if key not in {"v", "ns"}} for index in listed)
    return tuple(_as_json(index) for index in own if index["name"] != "_id_")


async def create(database: Database, shape: Shape) -> None:
    """Make an empty collection of this shape."""
    await database.command({"create": shape.name, **_from_json(shape.options)})
    if shape.indexes:
        await database.command({"createIndexes": shape.name, "indexes": [_from_json(spec) for spec in shape.indexes]})


async def read(database: Database, shape: Shape, session: Session) -> AsyncIterator[bytes]:
    """The documents of a collection, in batches of whole BSON documents.

    The content of a GridFS bucket is read file by file: SecantusDB answers a `find` from memory, all of it at once.
    """
    if shape.kind != "collection":
        return
    if not shape.name.endswith(CHUNKS):
        async for batch in _find(database, shape.name, session):
            yield batch
        return
    async for batch in _find(database, shape.name.removesuffix(CHUNKS) + FILES, session, projection={"_id": 1}):
        for document in split(batch):
            of_file = {"files_id": decode(document)["_id"]}
            async for chunks in _find(database, shape.name, session, filter=of_file, sort=[("n", ASCENDING)]):
                yield chunks


async def _find(database: Database, collection: str, session: Session, **what: Any) -> AsyncIterator[bytes]:
    batches = aiter(database.collection(collection).find_raw_batches(session=session, batch_size=BATCH, **what))
    while True:
        with within_deadline(SLOW_S):  # not around the loop: it would hold for whoever takes the batches, too
            batch: bytes | None = await anext(batches, None)
        if batch is None:
            return
        yield batch


async def write(database: Database, collection: str, documents: bytes) -> int:
    """Add a row of BSON documents to a collection as they are, and return how many there were.

    They have been judged where they came from; a validator that came later does not judge them again.
    """
    rows = list(split(documents))
    target = database.collection(collection).with_options(codec_options=_AS_STORED)
    for start in range(0, len(rows), BATCH):
        some = [RawBSONDocument(row, _AS_STORED) for row in rows[start : start + BATCH]]
        await target.insert_many(some, bypass_document_validation=True)
    return len(rows)


async def count(database: Database, shape: Shape) -> int:
    """How many documents there are, counted one by one."""
    if shape.kind != "collection":
        return 0
    with within_deadline(SLOW_S):
        return int(await database.collection(shape.name).count_documents({}))


async def estimate(database: Database, collection: str) -> int:
    """About how many documents there are, at no cost."""
    return int(await database.collection(collection).estimated_document_count())


def split(documents: bytes) -> Iterator[bytes]:
    """The single documents in a row of them: each begins with its own length (bsonspec.org). Raises `BrokenBSON`."""
    start, end = 0, len(documents)
    while start < end:
        length = int.from_bytes(documents[start : start + 4], "little")
        if length < SMALLEST_DOCUMENT or start + length > end or documents[start + length - 1]:
            raise BrokenBSON("a document has a wrong length")
        yield documents[start : start + length]
        start += length


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(dumps(value, json_options=CANONICAL_JSON_OPTIONS))
    return plain


def _from_json(value: Mapping[str, Any]) -> dict[str, Any]:
    bson: dict[str, Any] = loads(json.dumps(value), json_options=CANONICAL_JSON_OPTIONS)
    return bson
