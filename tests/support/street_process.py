"""Accounts, tokendealer and mailer in a process of their own: to be killed, or to be measured from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import aiohttp

from services.chassis.bus import mongo as bus
from services.chassis.mongo import Mongo
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from tests.support.processes import Child, accepts, free_port
from tests.support.street import NAMES, PASSWORD, SERVICES, forget
from tests.support.waiting import eventually


async def prepare(mongo: Mongo, home: Path) -> None:
    """Fresh databases, migrated, and keys."""
    await forget(mongo, [*(service.database for service in SERVICES), bus.DATABASE])
    await bootstrap(ProcessSettings(home=home), mongo, NAMES)
    await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
    for service in SERVICES:
        await mongo.database(service.database).apply(service.all_collections, service.migrations)


class Process:
    """Accounts, tokendealer and mailer in a process that can be killed."""

    def __init__(self, database_uri: str, home: Path, smtp_url: str) -> None:
        self.port, self._internal_port = free_port(), free_port()
        self._home = home
        self._environ = {
            "RUNNERLY_HOME": str(home),
            "RUNNERLY_PORT": str(self.port),
            "RUNNERLY_INTERNAL_PORT": str(self._internal_port),
            "MONGODB_URI": database_uri,
            "SMTP_URL": smtp_url,
        }
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The public API."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    async def start(self) -> None:
        command = (sys.executable, "-m", "services", "serve", *NAMES)
        child = self._child = Child(command, log=self._home / "log", env=self._environ)
        await eventually(lambda: not child.alive or accepts(self.port), within_s=40)
        assert child.alive, child.log.read_text()

    def kill(self) -> None:
        assert self._child
        self._child.kill()

    async def register(self, email: str) -> int:
        body = {"email": email, "password": PASSWORD, "name": "Kim"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/accounts", json=body) as answer,
        ):
            return answer.status
