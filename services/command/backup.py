"""`runnerly backup` and `runnerly restore`: everything into one archive, and back, into another MongoDB too."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from services.chassis import settings
from services.chassis.mongo import DatabaseError, Mongo
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings
from services.command.archives.format import BadArchive, Manifest
from services.command.archives.restoring import Incomplete, NotEmpty, restore_backup
from services.command.archives.taking import Unreadable, estimate, take_backup

BAD_ARCHIVE, NOT_EMPTY, NO_DATABASE, NO_FILE = 3, 4, 5, 6  # exit codes; click's own are 1 and 2
KEPT_BEFORE_UPGRADES = 5
A_LOT = 2**62


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def backup(file: Path, quiet: bool) -> None:
    """Write every database and the keys to one archive FILE (tar, zstd), while Runnerly serves or not.

    Everything in it is of one moment. It holds keys and people's data: only its owner can read it, so keep it so. A key
    that RUNNERLY_KEK_FILE has elsewhere is not in it: keep that one too.
    """
    process = settings.read(ProcessSettings, os.environ)
    manifest = asyncio.run(_backup(process, file, quiet=quiet))
    click.echo(f"{file}: {_told(manifest)}, {file.stat().st_size:,} bytes")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Drop what is there, and move other keys aside.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def restore(file: Path, replace: bool, quiet: bool) -> None:
    """Put an archive FILE back, into the database of MONGODB_URI or the embedded one; stop Runnerly first.

    The archive is checked from end to end before anything is written, and nothing that is there is touched without
    --replace. Exit codes: 3 a damaged archive, 4 something is there already, 5 no database, 6 no file or disk.
    """
    process = settings.read(ProcessSettings, os.environ)
    manifest = asyncio.run(_restore(process, file, replace=replace, quiet=quiet))
    click.echo(f"Restored {_told(manifest)}, as they were at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    if manifest.version != version():
        click.echo(f"It was made by Runnerly {manifest.version}, and this is {version()}: run `runnerly migrate` next")


async def back_up_before_upgrade(process: ProcessSettings, mongo: Mongo, services: Sequence[Service]) -> Path | None:
    """Take a backup where migrations are due on data that is there; returns where it is. The last five are kept."""
    due = [
        migration
        for service in services
        if service.needs_database
        for migration in await mongo.database(service.database).pending(service.migrations)
    ]
    if not due or not await estimate(mongo):
        return None
    folder = process.home / "backups"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"before-upgrade-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.tar.zst"
    click.echo(f"An upgrade is due ({', '.join(due)}), so a backup comes first: {target}")
    await take_backup(mongo, target, keys=process.home / "keys", version=version())
    for old in sorted(folder.glob("before-upgrade-*.tar.zst"))[:-KEPT_BEFORE_UPGRADES]:
        old.unlink()
    return target


async def _backup(process: ProcessSettings, file: Path, *, quiet: bool) -> Manifest:
    mongo = Mongo(process.mongodb_uri)
    try:
        with click.progressbar(length=await estimate(mongo), label="Backing up", hidden=quiet) as bar:
            return await take_backup(mongo, file, keys=process.home / "keys", version=version(), on_progress=bar.update)
    except Unreadable as error:
        _fail(str(error), BAD_ARCHIVE)
    except DatabaseError as error:
        _fail(f"The database does not answer as it should: {error}", NO_DATABASE)
    except OSError as error:
        _fail(f"{file} can't be written: {error.strerror or error}", NO_FILE)
    finally:
        mongo.close()


async def _restore(process: ProcessSettings, file: Path, *, replace: bool, quiet: bool) -> Manifest:
    mongo = Mongo(process.mongodb_uri)
    try:
        with click.progressbar(length=A_LOT, label="Restoring", hidden=quiet) as bar:

            def known(manifest: Manifest) -> None:
                bar.length = manifest.documents

            return await restore_backup(
                mongo, file, keys=process.home / "keys", replace=replace, on_verified=known, on_progress=bar.update
            )
    except BadArchive as error:
        _fail(f"{file} is not restored, and nothing was changed: {error}", BAD_ARCHIVE)
    except NotEmpty as error:
        _fail(f"{error}. Nothing was changed; --replace puts the archive in its place", NOT_EMPTY)
    except Incomplete as error:
        _fail(str(error), NO_DATABASE)
    except DatabaseError as error:
        _fail(f"The database does not answer as it should: {error}", NO_DATABASE)
    except OSError as error:
        _fail(f"{error.filename or file}: {error.strerror or error}", NO_FILE)
    finally:
        mongo.close()


def _fail(words: str, code: int) -> NoReturn:
    click.echo(words, err=True)
    raise SystemExit(code)


def _told(manifest: Manifest) -> str:
    return f"{manifest.documents:,} documents in {len(manifest.collections)} collections"


def version() -> str:
    """The version of this Runnerly."""
    return importlib.metadata.version("runnerly")
