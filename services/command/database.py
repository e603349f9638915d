"""The database of a command: the one that is set, one that a running `runnerly up` has, or a child of our own meanwhile.

Who runs the embedded database holds a lock on `<home>/run/database`, and its address is in that file. The kernel lets go
of the lock when the holder dies, however it dies, and the child dies with it, so a stale address is never believed.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

import msgspec

from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Database, Mongo
from services.chassis.settings import ProcessSettings, WrongSetting
from services.command.children import Child, accepts
from services.command.ports import free_port

STARTS_WITHIN_S = 60.0


@asynccontextmanager
async def database(process: ProcessSettings, *, share: bool = True) -> AsyncIterator[ProcessSettings]:
    """The settings with a database in them, which answers.

    Where `MONGODB_URI` names none it is the embedded one, kept under the home: that of another process of ours, if
    `share`, or a child that ends with this context. Raises `WrongSetting` where another has it and it is not shared,
    or where it does not start.
    """
    if process.mongodb_uri:
        yield process
        return
    with claimed(process.home / "run" / "database") as (mine, address):
        if mine is None:
            if not share:
                raise WrongSetting(f"Another Runnerly runs from {process.home}: stop it, or set RUNNERLY_HOME")
            yield msgspec.structs.replace(process, mongodb_uri=address)
            return
        port = free_port()
        uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        child = _embedded(process, port)
        await child.start()
        try:
            await child.until(lambda: accepts(port), within_s=STARTS_WITHIN_S)
            mine.write(uri)
            mine.flush()
            yield msgspec.structs.replace(process, mongodb_uri=uri)
        finally:
            mine.truncate(0)
            await child.stop()


@asynccontextmanager
async def connected(process: ProcessSettings, *, share: bool = True) -> AsyncIterator[Mongo]:
    """A connection to the database of a command (see `database`), closed at the end."""
    async with database(process, share=share) as there:
        mongo = Mongo(there.mongodb_uri, app_name="runnerly-command")
        try:
            yield mongo
        finally:
            mongo.close()


def outbox_of(own: Database) -> Outbox:
    """Where a command leaves what it tells: held by nobody here, so that who serves relays it at once."""
    return Outbox(own, hold_s=0)


@contextmanager
def claimed(path: Path) -> Iterator[tuple[IO[str] | None, str]]:
    """The file, empty and ours alone, or None and the address in it where another process has it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            address = file.read()
            if not address:
                raise WrongSetting(
                    "Another Runnerly is just starting or stopping here: try again in a moment"
                ) from None
            yield None, address
            return
        file.truncate(0)
        yield file, ""


def _embedded(process: ProcessSettings, port: int) -> Child:
    (process.home / "mongo").mkdir(mode=0o700, parents=True, exist_ok=True)
    return Child(
        "database",
        [
            str(Path(sys.executable).with_name("secantusd-py")),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--storage-path", str(process.home.absolute() / "mongo")),
            "--sync-on-commit",  # without it, a `kill -9` can lose an answered transaction (SecantusDB 0.7.0b3)
        ],
        environ=os.environ,
        log=process.home / "log" / "database.log",
    )
