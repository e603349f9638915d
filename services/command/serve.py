"""`runnerly serve`: the named services in this process, on sockets that Circus made or on ports of their own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import uvloop

from services.chassis import settings
from services.chassis.run import Listeners, bind, inherit, run_until_stopped
from services.chassis.service import Service
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
    services = [street.service(name) for name in names]
    listeners = Listeners(
        public=[inherit(fd)] if fd is not None else bind(process.port, process.host),
        internal=_internal(services, internal_fd, process.internal_port if internal_port is None else internal_port),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_until_stopped(services, process, os.environ, listeners, root=ROOT))


def _internal(services: Sequence[Service], fd: int | None, port: int) -> list[socket.socket]:
    """The internal socket; none where no service of the process is called by others."""
    if not any(service.needs_database for service in services):
        return []
    return [inherit(fd)] if fd is not None else bind(port, "127.0.0.1")
