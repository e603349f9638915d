"""`runnerly serve`: the named services in this process, on sockets that Circus made or on ports of their own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import msgspec
import uvloop

from services.chassis import settings
from services.chassis.run import Listeners, bind, inherit, run_until_stopped
from services.chassis.settings import ProcessSettings
from services.command import street

ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice([*street.NAMES, street.SANDBOX]))
@click.option("--fd", type=int, help="The public socket, inherited as this file descriptor.")
@click.option("--internal-fd", type=int, help="The internal socket, inherited as this file descriptor.")
@click.option("--port", type=int, help="The public port, where no socket is inherited.")
@click.option("--internal-port", type=int, help="The internal port, on loopback.")
def serve(
    names: tuple[str, ...], fd: int | None, internal_fd: int | None, port: int | None, internal_port: int | None
) -> None:
    """Serve the services NAMES in this process until SIGTERM."""
    process = settings.read(ProcessSettings, os.environ)
    if port is not None:
        process = msgspec.structs.replace(process, port=port)
    listeners = Listeners(
        public=[inherit(fd)] if fd is not None else bind(process.port, process.host),
        internal=[inherit(internal_fd)]
        if internal_fd is not None
        else bind(process.internal_port if internal_port is None else internal_port, "127.0.0.1"),
    )
    services = [street.service(name) for name in names]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_until_stopped(services, process, os.environ, listeners, root=ROOT))
