"""Putting an archive back: judged whole first, then written into an empty place, or in the place of what is there."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from services.chassis import mongo_raw
from services.chassis.mongo import Mongo, within_deadline
from services.chassis.settings import WrongSetting
from services.command.archives.format import BadArchive, Manifest, members, sync_folder, verify
from services.command.archives.taking import PREFIX, UNFINISHED, databases


class NotEmpty(Exception):
    """There is something where the archive is to be put; the message says what. Nothing was changed."""


class Incomplete(WrongSetting):
    """The database holds a part of an archive: a restore did not end well."""


async def restore_backup(
    mongo: Mongo,
    source: Path,
    *,
    keys: Path,
    replace: bool = False,
    on_verified: Callable[[Manifest], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Put the databases and keys of an archive in place, and return what it had.

    The archive is read whole and judged before anything is written. With `replace`, the databases of Runnerly that are
    there are dropped, those that the archive does not have included, and other keys are moved aside; without it they are
    an error. Nothing may serve meanwhile. `on_progress` is told how many documents were written since it was last.
    Raises `BadArchive` and `NotEmpty`; `Incomplete` where what was written is not what was read. After an interruption
    `check_complete` tells, and restoring again with `replace` puts it right.
    """
    with source.open("rb") as file:
        archive = await asyncio.to_thread(verify, file)
        _check_names(archive.manifest)
        if not replace:
            await _check_empty(mongo)
            _check_keys(archive.keys, keys)
        on_verified(archive.manifest)
        await mongo.database(UNFINISHED).collection("restore").insert_one({"archive": source.name})
        for name in await databases(mongo):
            with within_deadline(mongo_raw.SLOW_S):
                await mongo.drop(name)
        await _write(mongo, archive.manifest, file, on_progress)
    await _check_written(mongo, archive.manifest)
    await asyncio.to_thread(_put_keys, archive.keys, keys)
    await mongo.drop(UNFINISHED)
    return archive.manifest


async def check_complete(mongo: Mongo) -> None:
    """Raises `Incomplete` where a restore was interrupted: what is there must not be served."""
    if UNFINISHED in await mongo.database_names():
        raise Incomplete("A restore was interrupted here, so data is missing: run `runnerly restore --replace` again")


def _check_names(manifest: Manifest) -> None:
    for entry in manifest.collections:
        if not entry.database.startswith(PREFIX) or entry.database == UNFINISHED:
            raise BadArchive(f"it would write into {entry.database!r}, which is no database of Runnerly's")


async def _check_empty(mongo: Mongo) -> None:
    for name in await databases(mongo):
        database = mongo.database(name)
        for collection in await database.collection_names():
            if await database.collection(collection).find_one({}):
                raise NotEmpty(f"The database {name} has data already (its {collection}, for one)")


def _check_keys(files: Mapping[str, bytes], keys: Path) -> None:
    for name, content in files.items():
        path = keys / name
        if path.exists() and path.read_bytes() != content:
            raise NotEmpty(f"{path} is another key than the archive's")


async def _write(mongo: Mongo, manifest: Manifest, file: IO[bytes], on_progress: Callable[[int], None]) -> None:
    # Indexes first: SecantusDB syncs each entry of an index that is made afterwards, a hundred times slower.
    for entry in manifest.collections:
        await mongo_raw.create(mongo.database(entry.database), entry.shape)
    belongs = {part: entry for entry in manifest.collections for part in entry.parts}
    parts = members(file)
    while (member := await asyncio.to_thread(next, parts, None)) is not None:
        name, content = member
        if name in belongs:
            entry = belongs[name]
            on_progress(await mongo_raw.write(mongo.database(entry.database), entry.shape.name, content))


async def _check_written(mongo: Mongo, manifest: Manifest) -> None:
    for entry in manifest.collections:
        written = await mongo_raw.count(mongo.database(entry.database), entry.shape)
        if written > entry.documents or (written < entry.documents and not entry.shape.expires):
            raise Incomplete(
                f"{entry.database}.{entry.shape.name} has {written} documents, and the archive {entry.documents}: "
                "does something else write there?"
            )


def _put_keys(files: Mapping[str, bytes], keys: Path) -> None:
    """Put the key files in their folder. Where another key is in the way, the folder as it was is kept beside."""
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    in_the_way = [
        name for name, content in files.items() if (keys / name).exists() and (keys / name).read_bytes() != content
    ]
    if in_the_way:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        shutil.copytree(keys, keys.with_name(f"{keys.name}.before-restore-{stamp}"))
    for name, content in files.items():
        unfinished = keys / f".{name}.unfinished"
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(keys / name)
    sync_folder(keys)
