"""Accounts, tokendealer and mailer, and others, in a process of their own: to be killed, or to be measured from outside."""

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
from tests.support.mail import MailServer
from tests.support.processes import Child, accepts, free_port
from tests.support.street import NAMES, PASSWORD, SERVICES, forget
from tests.support.waiting import eventually


async def prepare(mongo: Mongo, home: Path, *, more: Sequence[Service] = ()) -> None:
    """Fresh databases, migrated, and keys."""
    services = (*SERVICES, *more)
    await forget(mongo, [*(service.database for service in services), bus.DATABASE])
    await bootstrap(ProcessSettings(home=home), mongo, [service.name for service in services])
    await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
    for service in services:
        await mongo.database(service.database).apply(service.all_collections, service.migrations)


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    body: Any


class Process:
    """Accounts, tokendealer and mailer in a process that can be killed. Its ports stay the same at its next start."""

    def __init__(self, database_uri: str, home: Path, smtp_url: str, **environ: str) -> None:
        self.port, self._internal_port = free_port(), free_port()
        self._home = home
        self._environ = {
            "RUNNERLY_HOME": str(home),
            "RUNNERLY_PORT": str(self.port),
            "RUNNERLY_INTERNAL_PORT": str(self._internal_port),
            "MONGODB_URI": database_uri,
            "SMTP_URL": smtp_url,
            **environ,
        }
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The public API."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child
        return self._child.pid

    async def start(self, *more: str) -> None:
        """Start it, with services of these names beside the usual ones; return when it answers."""
        command = (sys.executable, "-m", "services", "serve", *NAMES, *more)
        child = self._child = Child(command, log=self._home / "log", env=self._environ)
        await eventually(lambda: not child.alive or accepts(self.port))
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

    async def ask(self, method: str, path: str, body: object = None, *, token: str = "") -> Told:
        """Call the public API."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"{self.url}/{path}", json=body, headers=headers) as answer,
        ):
            return Told(answer.status, await answer.json(content_type=None) if await answer.read() else None)

    async def runner(self, mail: MailServer, email: str) -> str:
        """The access token of somebody new."""
        assert await self.register(email) == 202
        await eventually(lambda: email in {to for to, _ in mail.taken})
        body = next(message for to, message in mail.taken if to == email).get_body(("plain",))
        assert body
        token = body.get_content().partition("?token=")[2].split()[0]
        assert (await self.ask("POST", "accounts/activation", {"token": token})).status == 200
        return str((await self.ask("POST", "sessions", {"email": email, "password": PASSWORD})).body["access_token"])

    async def upload(self, name: str, content: bytes, *, token: str) -> Any:
        """The activity that a file became."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/activities?filename={name}", data=content, headers=headers) as answer,
        ):
            assert answer.status == 201, await answer.text()
            return await answer.json()
