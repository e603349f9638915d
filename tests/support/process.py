"""A whole process of Runnerly inside a test: real settings, real sockets, a real database, the real drain."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis import settings
from services.chassis.bus import mongo as bus
from services.chassis.mongo import Mongo
from services.chassis.run import Listeners, serving
from services.chassis.secrets import encode_kek, new_kek
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings


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
    keys = home / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    if not (keys / "kek").exists():
        (keys / "kek").write_text(encode_kek(new_kek()), encoding="ascii")
        (keys / "kek").chmod(0o600)
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
        await _migrate(database_uri, services)
    with public, internal:
        async with serving(services, configured, variables, Listeners([public], [internal]), root=home):
            yield configured


async def _migrate(uri: str, services: Sequence[Service]) -> None:
    mongo = Mongo(uri)
    await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
    for service in services:
        await mongo.database(service.database).apply(service.all_collections, service.migrations)
    mongo.close()
