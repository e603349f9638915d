"""Some services in a process that can be killed, and started again with others beside them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from services.chassis.bus import mongo as bus
from services.chassis.mongo import Mongo
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from tests.support.processes import Child, accepts, free_port
from tests.support.street import forget
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    body: Any


class Killable:
    """A process with the services of these names. Its ports stay the same from one start to the next."""

    def __init__(self, database_uri: str, home: Path, smtp_url: str, **environ: str) -> None:
        self.port = free_port()
        self._home = home
        self._environ = {
            "RUNNERLY_HOME": str(home),
            "RUNNERLY_PORT": str(self.port),
            "RUNNERLY_INTERNAL_PORT": str(free_port()),
            "MONGODB_URI": database_uri,
            "SMTP_URL": smtp_url,
            **environ,
        }
        self._child: Child | None = None

    async def start(self, names: Sequence[str]) -> None:
        """Start these, and return when they answer."""
        command = (sys.executable, "-m", "services", "serve", *names)
        child = self._child = Child(command, log=self._home / "log", env=self._environ)
        await eventually(lambda: not child.alive or accepts(self.port), within_s=40)
        assert child.alive, child.log.read_text()

    def kill(self) -> None:
        """`kill -9`."""
        assert self._child
        self._child.kill()

    async def ask(self, method: str, path: str, body: object = None, *, token: str = "") -> Told:
        """Call the public API."""
        url, headers = (
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            {"Authorization": f"Bearer {token}"} if token else {},
        )
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, json=body, headers=headers) as answer,
        ):
            return Told(answer.status, await answer.json(content_type=None) if await answer.read() else None)


async def prepared(mongo: Mongo, home: Path, services: Sequence[Service]) -> None:
    """Fresh databases and keys for these services, for processes that do not migrate themselves."""
    await forget(mongo, [*(service.database for service in services), bus.DATABASE])
    await bootstrap(ProcessSettings(home=home), mongo, [service.name for service in services])
    await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
    for service in services:
        await mongo.database(service.database).apply(service.all_collections, service.migrations)
