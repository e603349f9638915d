"""`runnerly backup` and `runnerly restore`: everything into one archive, and back, into another MongoDB too."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from services.activities.app import SERVICE as ACTIVITIES
from services.activities.store.originals import Originals
from services.chassis import settings
from services.chassis.health import program_version
from services.chassis.mongo import DatabaseError, Mongo
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings
from services.command.archives.format import BadArchive, Manifest
from services.command.archives.restoring import Incomplete, NotEmpty, check_complete, restore_backup
from services.command.archives.taking import Unreadable, estimate, take_backup
from services.command.database import connected
from services.command.logbook import logbook
from services.command.serve import ROOT

BAD_ARCHIVE, NOT_EMPTY, NO_DATABASE, NO_FILE = 3, 4, 5, 6  # exit codes; click's own are 1 and 2
KEPT_BEFORE_UPGRADES = 5


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def backup(file: Path, quiet: bool) -> None:
    """Write every database and the keys to one archive FILE (tar, zstd), while Runnerly serves or not.

    Everything in it is of one moment. It holds keys and people's data: only its owner can read it, so keep it so. A key
    that RUNNERLY_KEK_FILE has elsewhere is not in it: keep that one too. Exit codes: 5 no database, 6 no file or disk.
    """
    process = settings.read(ProcessSettings, os.environ)
    began = time.monotonic()
    with _told_in_a_sentence(file):
        manifest, buckets = asyncio.run(_backup(process, file, quiet=quiet))
    size = file.stat().st_size
    with logbook(process, "backup") as log:
        log.info("backup.written", documents=manifest.documents, bytes=size, ms=_ms_since(began))
    click.echo(f"{file}: {_told(manifest)}, {size:,} bytes")
    for bucket in buckets:
        click.echo(f"Files as they were uploaded are in {bucket}, which is not in it")


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
    began = time.monotonic()
    with _told_in_a_sentence(file):
        manifest = asyncio.run(_restore(process, file, replace=replace, quiet=quiet))
    with logbook(process, "backup") as log:
        log.info("backup.restored", documents=manifest.documents, ms=_ms_since(began))
    click.echo(f"Restored {_told(manifest)}, as they were at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    if manifest.version != version():
        click.echo(f"It was made by Runnerly {manifest.version}, and this is {version()}: run `runnerly migrate` next")


async def back_up_before_upgrade(process: ProcessSettings, mongo: Mongo, services: Sequence[Service]) -> Path | None:
    """Take a backup where migrations are due on data that is there; returns where it is. The last five are kept."""
    due = [
        f"{service.name}: {migration}"
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


async def _backup(process: ProcessSettings, file: Path, *, quiet: bool) -> tuple[Manifest, list[str]]:
    """What is in the backup, and the buckets of files that are not."""
    async with connected(process) as mongo:
        await check_complete(mongo)
        with Progress(quiet=quiet) as progress:
            progress.begin("Backing up", await estimate(mongo))
            manifest = await take_backup(
                mongo, file, keys=process.home / "keys", version=version(), on_progress=progress.advance
            )
        return manifest, await Originals(mongo.database(ACTIVITIES.database)).buckets()


async def _restore(process: ProcessSettings, file: Path, *, replace: bool, quiet: bool) -> Manifest:
    async with connected(process, share=False) as mongo:
        with Progress(quiet=quiet) as progress:
            return await restore_backup(
                mongo,
                file,
                keys=process.home / "keys",
                replace=replace,
                on_verified=lambda manifest: progress.begin("Restoring", manifest.documents),
                on_progress=progress.advance,
            )


class Progress:
    """A progress bar on stderr that begins when it is known how much there is to do."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._stack = ExitStack()
        self._advance: Callable[[int], None] = lambda _: None

    def begin(self, label: str, total: int) -> None:
        """Draw it."""
        bar = click.progressbar(length=total, label=label, file=sys.stderr, hidden=self._quiet)
        self._advance = self._stack.enter_context(bar).update

    def advance(self, steps: int) -> None:
        """So much more is done."""
        self._advance(steps)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextmanager
def _told_in_a_sentence(file: Path) -> Iterator[None]:
    """Failures as a sentence and an exit code."""
    try:
        yield
    except BadArchive as error:
        _fail(f"{file} is not restored, and nothing was changed: {error}", BAD_ARCHIVE)
    except NotEmpty as error:
        _fail(f"{error}. Nothing was changed; --replace puts the archive in its place", NOT_EMPTY)
    except Incomplete as error:
        _fail(str(error), NO_DATABASE)
    except DatabaseError as error:
        _fail(f"The database does not answer as it should: {str(error).partition(' (configured')[0]}", NO_DATABASE)
    except Unreadable as error:
        _fail(f"No backup was made: {error}", NO_FILE)
    except OSError as error:
        _fail(f"{error.filename or file}: {error.strerror or error}", NO_FILE)


def _ms_since(began: float) -> float:
    return round(1000 * (time.monotonic() - began), 1)


def _fail(words: str, code: int) -> NoReturn:
    click.echo(words, err=True)
    raise SystemExit(code)


def _told(manifest: Manifest) -> str:
    return f"{manifest.documents:,} documents in {len(manifest.collections)} collections"


def version() -> str:
    """The version of this Runnerly."""
    return program_version(ROOT).version
