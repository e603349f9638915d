"""Activities and a tokendealer in a process of their own: to be killed, or to be measured from outside."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from services.activities.app import SERVICE
from services.chassis.bus import mongo as bus
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Database, Mongo
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from services.tokendealer.app import SERVICE as TOKENDEALER
from services.tokendealer.handlers.families import SignInTokens
from tests.support.database import DatabaseServer
from tests.support.processes import Child, accepts, free_port
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.runners import READ, WRITE, Runner
from tests.support.waiting import eventually


@dataclass
class TrackProcess:
    """The process. Its ports stay the same at its next start."""

    settings: ProcessSettings
    environ: dict[str, str]
    client: aiohttp.ClientSession
    accounts: Peer
    mongo: Mongo
    _child: Child | None = field(default=None, init=False)

    @property
    def database(self) -> Database:
        """The database of activities."""
        return self.mongo.database(SERVICE.database)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child
        return self._child.pid

    async def start(self) -> None:
        """Start it; return when it answers."""
        command = (sys.executable, "-m", "services", "serve", "tokendealer", "activities")
        child = self._child = Child(command, log=self.settings.home / "log", env=self.environ)
        await eventually(lambda: not child.alive or accepts(self.settings.port))
        assert child.alive, child.log.read_text()

    def kill(self) -> None:
        """`kill -9` it."""
        if self._child:
            self._child.kill()

    async def runner(self, sub: str) -> Runner:
        """Somebody of this id."""
        order = {"sub": sub, "client": "runnerly", "scopes": (READ, WRITE), "label": "a test"}
        tokens = await self.accounts.post("/internal/v1/tokens", json=order, type=SignInTokens)
        return Runner(self.settings.url, self.client, tokens.access_token, sub)


@asynccontextmanager
async def track_process(server: DatabaseServer, home: Path, **environ: str) -> AsyncIterator[TrackProcess]:
    """One on fresh databases, started, while inside."""
    settings = ProcessSettings(home=home, port=free_port(), internal_port=free_port())
    variables = {
        "RUNNERLY_HOME": str(home),
        "RUNNERLY_PORT": str(settings.port),
        "RUNNERLY_INTERNAL_PORT": str(settings.internal_port),
        "MONGODB_URI": server.uri,
        **environ,
    }
    async with AsyncExitStack() as stack:
        mongo, logs = Mongo(server.uri), RecordedLogs()
        stack.callback(mongo.close)
        stack.callback(logs.close)
        for name in (SERVICE.database, TOKENDEALER.database, bus.DATABASE):
            await mongo.drop(name)
        await bootstrap(settings, mongo, ("tokendealer", "accounts", "activities"))
        await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
        for service in (SERVICE, TOKENDEALER):
            await mongo.database(service.database).apply(service.all_collections, service.migrations)
        http = HttpClient("tests", RecordedMetrics(), logs.logger())
        stack.push_async_callback(http.close)
        accounts = Peer.of("tokendealer", settings, http, Identity.of("accounts", settings, http))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        process = TrackProcess(settings, variables, client, accounts, mongo)
        stack.callback(process.kill)
        await process.start()
        yield process
