"""Activities served by a whole process, with a tokendealer beside them, and runners who ask."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from services.activities.app import SERVICE
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Mongo
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from services.tokendealer.app import SERVICE as TOKENDEALER
from services.tokendealer.handlers.families import SignInTokens
from tests.support.contract import Contract, checking
from tests.support.database import DatabaseServer
from tests.support.process import process
from tests.support.recorded import RecordedLogs, RecordedMetrics

API = "/api/v1"
READ, WRITE = "activities:read", "activities:write"


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of a list."""
        items: list[dict[str, Any]] = self.json["items"]
        return items


@dataclass(frozen=True)
class Runner:
    """Somebody with a token."""

    url: str
    client: aiohttp.ClientSession
    token: str
    sub: str

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Told:
        """Send a request to a path under `/api/v1`."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        async with self.client.request(method, self.url + API + path, headers=sent, **options) as answer:
            return Told(answer.status, dict(answer.headers), await answer.read())

    async def get(self, path: str, **query: object) -> Told:
        """Read something."""
        return await self.ask("GET", path, params={name: str(value) for name, value in query.items()})

    async def upload(self, content: bytes, filename: str = "run.gpx", **headers: str) -> Told:
        """Send a file as a form."""
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(content), filename=filename, content_type="application/octet-stream")
        return await self.ask("POST", "/activities", data=form, headers=headers)

    async def uploaded(self, content: bytes, filename: str = "run.gpx") -> dict[str, Any]:
        """The activity that a file became."""
        told = await self.upload(content, filename)
        assert told.status == 201, told.body
        activity: dict[str, Any] = told.json
        return activity


@dataclass
class Track:
    """Where runners come together: the service, and how one gets a token for it."""

    settings: ProcessSettings
    client: aiohttp.ClientSession
    accounts: Peer
    strava: Identity
    mongo: Mongo
    met: int = 0

    async def runner(self, *scopes: str) -> Runner:
        """Somebody nobody has met before."""
        self.met += 1
        sub = f"runner-{self.met}"
        order = {"sub": sub, "client": "runnerly", "scopes": scopes or (READ, WRITE), "label": "a test"}
        tokens = await self.accounts.post("/internal/v1/tokens", json=order, type=SignInTokens)
        return Runner(self.settings.url, self.client, tokens.access_token, sub)

    async def tell(self, runner: Runner, strava_id: str, run: dict[str, Any], *, who: Identity | None = None) -> Told:
        """Hand over a run of a runner, as the service does that talks to Strava."""
        url = f"{self.settings.peer('activities')}/internal/v1/people/{runner.sub}/strava-runs/{strava_id}"
        headers = {"Authorization": f"Bearer {await (who or self.strava).token('activities')}"}
        async with self.client.put(url, json=run, headers=headers) as answer:
            return Told(answer.status, dict(answer.headers), await answer.read())

    async def told(self, runner: Runner, strava_id: str, run: dict[str, Any]) -> tuple[str, str | None]:
        """What became of a run that was handed over, and the id of its activity."""
        told = await self.tell(runner, strava_id, run)
        assert told.status == 200, told.body
        return told.json["outcome"], told.json["activity_id"]


@asynccontextmanager
async def track(server: DatabaseServer, home: Path, **environ: str) -> AsyncIterator[Track]:
    """The service on fresh databases while inside. Every answer is held against its OpenAPI document."""
    async with AsyncExitStack() as stack:
        mongo, logs = Mongo(server.uri), RecordedLogs()
        stack.callback(mongo.close)
        stack.callback(logs.close)
        for service in (SERVICE, TOKENDEALER):
            await mongo.drop(service.database)
        await bootstrap(ProcessSettings(home=home), mongo, ("tokendealer", "accounts", "activities", "strava"))
        http = HttpClient("tests", RecordedMetrics(), logs.logger())
        stack.push_async_callback(http.close)
        settings = await stack.enter_async_context(process([TOKENDEALER, SERVICE], server.uri, home, **environ))
        async with aiohttp.ClientSession() as plain, plain.get(f"{settings.url}/api/openapi/activities.json") as found:
            contract = Contract(await found.json())
        client = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[checking(contract)]))
        accounts = Peer.of("tokendealer", settings, http, Identity.of("accounts", settings, http))
        yield Track(settings, client, accounts, Identity.of("strava", settings, http), mongo)
