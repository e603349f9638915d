"""`runnerly up`: the whole of Runnerly on one machine, with one command and nothing to set up.

All services in this process; beside it, as children that die with it, the database (unless `MONGODB_URI` names one) and
the sandbox. Whatever falls is started again; whatever was answered was on disk before it was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack

import click
import msgspec
import uvloop

from services.chassis import settings
from services.chassis.run import Listeners, bind, run_until_stopped
from services.chassis.settings import ProcessSettings, WrongSetting
from services.command import street
from services.command.archives.restoring import check_complete
from services.command.backup import back_up_before_upgrade
from services.command.children import Child, serves
from services.command.database import connected, database
from services.command.keys import bootstrap
from services.command.migrate import bring_about
from services.command.ports import is_free, with_own_ports
from services.command.serve import ROOT

SANDBOX_STARTS_WITHIN_S = 20.0
SANDBOX_ENDS_WITHIN_S = 5.0
LOOK_S = 0.05
TRYING_OUT = (
    "The database is SecantusDB, which is beta: good for trying Runnerly out, not yet for data you can't lose.\n"
    "Set MONGODB_URI to a MongoDB replica set to use that; `runnerly backup` and `restore` move everything over."
)


@click.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C."""
    process = with_own_ports(settings.read(ProcessSettings, os.environ), os.environ)
    log_file = process.log_file or process.home / "log" / "runnerly.log"
    listeners = Listeners(public=bind(process.port, process.host), internal=bind(process.internal_port, "127.0.0.1"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_up(msgspec.structs.replace(process, log_file=log_file), listeners))


async def _up(process: ProcessSettings, listeners: Listeners) -> None:
    async with AsyncExitStack() as stack:
        if not process.mongodb_uri:
            click.echo(TRYING_OUT)
        process = await stack.enter_async_context(database(process, share=False))
        await prepare(process)
        environ = {
            "SMTP_URL": f"smtp://127.0.0.1:{process.sandbox_smtp_port}",
            **os.environ,
            "MONGODB_URI": process.mongodb_uri,
            "RUNNERLY_SANDBOX_SMTP_PORT": str(process.sandbox_smtp_port),
        }
        if not process.production:
            await _let_go_of(process.sandbox_port, process.host)
            sandbox = _sandbox(process, environ)
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            await sandbox.until(lambda: serves(process.sandbox_port), within_s=SANDBOX_STARTS_WITHIN_S)
        await run_until_stopped(
            street.street(), process, environ, listeners, root=ROOT, on_ready=lambda: _say_ready(process)
        )


async def _let_go_of(port: int, host: str) -> None:
    """Wait for the sandbox of one that was killed just now. Raises `WrongSetting` where something else has its port."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SANDBOX_ENDS_WITHIN_S):
            while not is_free(port, host):  # noqa: ASYNC110 - another process closes it: nothing to wait on
                await asyncio.sleep(LOOK_S)
            return
    raise WrongSetting(f"Port {port} is taken: stop what listens there, or set RUNNERLY_SANDBOX_PORT")


def _sandbox(process: ProcessSettings, environ: Mapping[str, str]) -> Child:
    own = {**environ, "RUNNERLY_PORT": str(process.sandbox_port), "RUNNERLY_PUBLIC_URL": "", "RUNNERLY_LOG_FILE": ""}
    command = [sys.executable, "-m", "services", "serve", street.SANDBOX]
    return Child("sandbox", command, environ=own, log=process.home / "log" / "sandbox.log")


async def prepare(process: ProcessSettings) -> None:
    """Keys, then the shape of every database; before an upgrade changes anything, a backup."""
    async with connected(process) as mongo:
        await check_complete(mongo)
        await back_up_before_upgrade(process, mongo, street.street())
        await bootstrap(process, mongo, street.NAMES)
        await bring_about(mongo, street.street())


def _say_ready(process: ProcessSettings) -> None:
    click.echo(f"Logs are in {process.log_file}")
    if not process.production:
        click.echo(f"Mail for everybody arrives at http://127.0.0.1:{process.sandbox_port}/mailbox")
    click.echo(f"Runnerly is ready at {process.url}")
    sys.stdout.flush()
