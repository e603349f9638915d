"""Taking a backup: every database of Runnerly at one moment, then the keys, into one archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from services.chassis import mongo_raw
from services.chassis.mongo import Database, Mongo, Session
from services.chassis.mongo_raw import Shape
from services.command.archives.format import MEMBER, PART_BYTES, CollectionEntry, Manifest, Writer, part_name

PREFIX = "runnerly_"
UNFINISHED = "runnerly_restore"  # this database is there while a restore is under way, and only then


class Unreadable(Exception):
    """Something that belongs into a backup can't be put into one; the message says what."""


async def take_backup(
    mongo: Mongo,
    target: Path,
    *,
    keys: Path,
    version: str,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write all databases and the files in `keys` to the archive `target`, readable by its owner only.

    Runnerly may serve meanwhile: everything in the archive is of the moment the backup began, in all databases alike,
    so that what was saved together is restored together. Memory stays flat however much there is. `on_progress` is told
    how many documents have been added. Raises `FileExistsError` where the target exists, `Unreadable` for keys that
    are no plain files, `OSError` where the disk is full; then there is no archive.
    """
    names = await databases(mongo)
    with Writer(target) as writer:
        async with mongo.snapshot() as session:
            made_at = datetime.now(UTC)
            entries = [
                await _add_collection(writer, mongo.database(name), shape, session, on_progress)
                for name in names
                for shape in await mongo_raw.shapes(mongo.database(name))
            ]
        for path in _key_files(keys):
            writer.add(f"keys/{path.name}", path.read_bytes())
        return await asyncio.to_thread(writer.finish, version, made_at, tuple(entries))


async def databases(mongo: Mongo) -> list[str]:
    """The databases that a backup takes and a restore replaces."""
    return sorted(name for name in await mongo.database_names() if name.startswith(PREFIX) and name != UNFINISHED)


async def estimate(mongo: Mongo) -> int:
    """About how many documents a backup will have."""
    total = 0
    for name in await databases(mongo):
        database = mongo.database(name)
        for shape in await mongo_raw.shapes(database):
            total += await mongo_raw.estimate(database, shape.name) if shape.kind == "collection" else 0
    return total


async def _add_collection(
    writer: Writer, database: Database, shape: Shape, session: Session, on_progress: Callable[[int], None]
) -> CollectionEntry:
    if shape.kind not in {"collection", "view"}:
        raise Unreadable(f"{database.name}.{shape.name} is a {shape.kind}, and a backup takes only plain collections")
    parts: list[str] = []
    documents = 0
    async for part in _parts(mongo_raw.read(database, shape, session)):
        name = part_name(database.name, shape.name, len(parts))
        parts.append(await asyncio.to_thread(writer.add, name, part))
        count = sum(1 for _ in mongo_raw.split(part))
        documents += count
        on_progress(count)
    return CollectionEntry(database.name, shape, documents, tuple(parts))


async def _parts(batches: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Batches put together, and large ones taken apart, to parts of about `PART_BYTES`."""
    held: list[bytes] = []
    size = 0
    async for batch in batches:
        for document in mongo_raw.split(batch):
            held.append(document)
            size += len(document)
            if size >= PART_BYTES:
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)


def _key_files(keys: Path) -> list[Path]:
    found = [path for path in sorted(keys.iterdir()) if not path.name.startswith(".")] if keys.is_dir() else []
    for path in found:
        if path.is_symlink() or not path.is_file() or not MEMBER.fullmatch(f"keys/{path.name}"):
            raise Unreadable(f"{path} is no plain file with a plain name, and a backup of keys takes only those")
    return found
