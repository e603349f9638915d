"""`runnerly up`: the whole of Runnerly on one machine, with one command and nothing to set up.

All services in this process; beside it, as children that die with it, the database (unless `MONGODB_URI` names one) and the
sandbox. Whatever falls is started again; whatever was answered is on disk before it was answered.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click
import msgspec
import uvloop

from services.chassis import settings
from services.chassis.mongo import Mongo
from services.chassis.run import Listeners, bind, run_until_stopped
from services.chassis.settings import ProcessSettings
from services.command import street
from services.command.backup import back_up_before_upgrade
from services.command.children import Child
from services.command.keys import bootstrap
from services.command.migrate import bring_about
from services.command.serve import ROOT

DATABASE_STARTS_WITHIN_S = 60.0
SANDBOX_STARTS_WITHIN_S = 20.0
TRYING_OUT = (
    "The database is SecantusDB, which is beta: good for trying Runnerly out, not yet for data you can't lose.\n"
    "Set MONGODB_URI to a MongoDB replica set to use that; `runnerly backup` and `runnerly restore` move everything over."
)


@click.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C."""
    process = settings.read(ProcessSettings, os.environ)
    listeners = Listeners(public=bind(process.port, process.host), internal=bind(process.internal_port, "127.0.0.1"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_up(process, listeners))


async def _up(process: ProcessSettings, listeners: Listeners) -> None:
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(_with_database(process))
        environ = {**os.environ, "MONGODB_URI": process.mongodb_uri}
        sandbox = _sandbox(process, environ)
        await sandbox.start()
        stack.push_async_callback(sandbox.stop)
        await _prepare(process)
        await sandbox.answers(process.sandbox_port, within_s=SANDBOX_STARTS_WITHIN_S)
        await run_until_stopped(
            street.street(), process, environ, listeners, root=ROOT, on_ready=lambda: _say_ready(process)
        )


@asynccontextmanager
async def _with_database(process: ProcessSettings) -> AsyncIterator[ProcessSettings]:
    """The settings with a database in them: the one that is set, or a child of ours."""
    if process.mongodb_uri:
        yield process
        return
    click.echo(TRYING_OUT)
    port = _free_port()
    child = Child(
        "database",
        [
            str(Path(sys.executable).with_name("secantusd-py")),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--storage-path", str(process.home.absolute() / "mongo")),
            "--sync-on-commit",
        ],
        environ=os.environ,
        log=process.home / "log" / "database.log",
    )
    await child.start()
    try:
        await child.answers(port, within_s=DATABASE_STARTS_WITHIN_S)
        uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        yield msgspec.structs.replace(process, mongodb_uri=uri)
    finally:
        await child.stop()


def _sandbox(process: ProcessSettings, environ: Mapping[str, str]) -> Child:
    command = [sys.executable, "-m", "services", "serve", street.SANDBOX]
    own = {**environ, "RUNNERLY_PORT": str(process.sandbox_port), "RUNNERLY_PUBLIC_URL": ""}
    return Child("sandbox", command, environ=own, log=process.home / "log" / "sandbox.log")


async def _prepare(process: ProcessSettings) -> None:
    """Keys, then the shape of every database; before an upgrade changes anything, a backup."""
    mongo = Mongo(process.mongodb_uri)
    try:
        await bootstrap(process, mongo, street.NAMES)
        await back_up_before_upgrade(process, mongo, street.street())
        await bring_about(mongo, street.street())
    finally:
        mongo.close()


def _say_ready(process: ProcessSettings) -> None:
    click.echo(f"Mail for everybody arrives at http://127.0.0.1:{process.sandbox_port}/mailbox")
    click.echo(f"Runnerly is ready at {process.url}")
    sys.stdout.flush()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
