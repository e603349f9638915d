"""A whole process of Runnerly inside a test: real settings, real sockets, a real database, the real drain."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis import settings
from services.chassis.run import Listeners, serving
from services.chassis.secrets import KeyFile
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings
from services.command.database import connected
from services.command.key_files import write_once
from services.command.migrate import bring_about


def listening() -> socket.socket:
    """A listening socket on a free port of loopback."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=256)
    sock.setblocking(False)
    return sock


def port_of(sock: socket.socket) -> int:
    """The port a socket listens on."""
    return int(sock.getsockname()[1])


@asynccontextmanager
async def process(
    services: Sequence[Service], database_uri: str, home: Path, *, migrated: bool = True, **environ: str
) -> AsyncIterator[ProcessSettings]:
    """These services, migrated and served, while inside; the settings say where."""
    write_once(home / "keys" / "kek", lambda: KeyFile.fresh().text())
    public, internal = listening(), listening()
    variables = {
        "RUNNERLY_HOME": str(home),
        "RUNNERLY_PORT": str(port_of(public)),
        "RUNNERLY_INTERNAL_PORT": str(port_of(internal)),
        "MONGODB_URI": database_uri,
        "RUNNERLY_LOG_FILE": str(home / "log" / "tests.log"),
        "RUNNERLY_DRAIN_S": "2",
        **environ,
    }
    configured = settings.read(ProcessSettings, variables)
    if migrated:
        async with connected(configured) as mongo:
            await bring_about(mongo, services)
    with public, internal:
        async with serving(services, configured, variables, Listeners([public], [internal]), root=home):
            yield configured
