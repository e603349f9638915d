"""Looking for somebody in all that is kept: every collection of every database, and every file."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bson
import pymongo
import zstandard

if TYPE_CHECKING:
    from services.chassis.mongo import Mongo


async def traces(mongo: Mongo, needles: Sequence[str | bytes], databases: Sequence[str]) -> list[str]:
    """Where any of these stands in any document of these databases."""
    found = []
    for name in databases:
        database = mongo.database(name)
        for collection in await database.collection_names():
            async for document in database.collection(collection).find({}):
                found += in_document(f"{name}.{collection}", document, needles)
    return found


def everywhere(uri: str, needles: Sequence[str | bytes]) -> list[str]:
    """Where any of these stands in any document of a whole database server, but for its own journal (`local`, the oplog)."""
    found = []
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        for name in set(client.list_database_names()) - {"local"}:
            for collection in client[name].list_collection_names():
                for document in client[name][collection].find({}):
                    found += in_document(f"{name}.{collection}", document, needles)
    return found


def in_document(where: str, document: dict[str, Any], needles: Sequence[str | bytes]) -> list[str]:
    """Where any of these stands in a document, bytes (compressed ones too) included."""
    plain = [f"{where}: {needle!r}" for needle in in_bytes(bson.encode(document), needles)]
    packed = [
        f"{where}: {needle!r}, packed" for value in binaries(document) for needle in in_bytes(unpacked(value), needles)
    ]
    return plain + packed


def in_files(folder: Path, needles: Sequence[str | bytes], *, but: Sequence[str]) -> list[str]:
    """Where any of these stands in a file under a folder, but for the named sub-folders."""
    return [
        f"{path.relative_to(folder)}: {needle!r}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in but
        for needle in in_bytes(path.read_bytes(), needles)
    ]


def in_bytes(content: bytes, needles: Sequence[str | bytes]) -> list[str | bytes]:
    """Those of the needles that are in it, plain or as base64 has them."""
    return [needle for needle in needles if any(shape in content for shape in shapes(needle))]


def shapes(needle: str | bytes) -> list[bytes]:
    """How it may be written: as it is, in JSON's escapes, as base64 where it stands at a multiple of three."""
    plain = needle.encode() if isinstance(needle, str) else needle
    escaped = [needle.encode("ascii", "backslashreplace")] if isinstance(needle, str) else []
    return [plain, *escaped, base64.b64encode(plain)[: len(plain) // 3 * 4]]


def binaries(value: Any) -> Iterator[bytes]:
    """All bytes in a document, however deep."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from binaries(each)
    elif isinstance(value, list):
        for each in value:
            yield from binaries(each)


def unpacked(content: bytes) -> bytes:
    """What zstd or zlib made small; nothing where it is neither."""
    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(content)
    except zstandard.ZstdError:
        try:
            return zlib.decompress(content)
        except zlib.error:
            return b""
