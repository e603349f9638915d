"""A tokendealer that serves, with its keys bootstrapped, and somebody to ask it as: a service, or a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Mongo
from services.chassis.secrets import Secrets, read_secrets
from services.chassis.settings import ProcessSettings
from services.command.clients import new_client
from services.command.keys import bootstrap
from services.tokendealer.app import SERVICE
from services.tokendealer.domain.clients import Client
from services.tokendealer.handlers.families import FamilyView, SignInTokens
from services.tokendealer.store import ClientStore, FamilyStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from tests.support.contract import Contract, checking
from tests.support.database import DatabaseServer
from tests.support.process import process
from tests.support.recorded import RecordedLogs, RecordedMetrics

NAMES = ("tokendealer", "accounts", "mailer")


class Sessions(msgspec.Struct):
    items: list[FamilyView]


@dataclass
class Dealer:
    """A tokendealer at `settings.url`; `accounts` and `mailer` call it by their own identities."""

    settings: ProcessSettings
    client: aiohttp.ClientSession
    http: HttpClient
    accounts: Peer
    mailer: Peer
    box: Secrets
    clients: ClientStore
    families: FamilyStore
    codes: CodeStore
    consents: ConsentStore

    async def post(self, path: str, form: dict[str, str] | bytes, **options: Any) -> tuple[int, dict[str, Any]]:
        """Post a form; the status and what came back."""
        async with self.client.post(self.settings.url + path, data=form, **options) as answer:
            body = await answer.read()
            return answer.status, msgspec.json.decode(body) if body else {}

    async def get(self, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Read a public document; itself, and its headers."""
        async with self.client.get(self.settings.url + path) as answer:
            assert answer.status == 200
            return await answer.json(), dict(answer.headers)

    async def add_client(self, *scopes: str) -> tuple[Client, str]:
        """A new client of the public API, and its secret."""
        client = new_client("an app", scopes, (), "s3cret:of+the/app", self.box)
        await self.clients.add(client)
        return client, "s3cret:of+the/app"

    async def sign_in(self, sub: str = "runner-1", client: str = "runnerly", *scopes: str) -> SignInTokens:
        """A sign-in of a person."""
        order = {"sub": sub, "client": client, "scopes": scopes or ("account", "activities:read"), "label": "a browser"}
        return await self.accounts.post("/internal/v1/tokens", json=order, type=SignInTokens)

    async def refresh(self, refresh_token: str) -> SignInTokens:
        """The next tokens of a sign-in."""
        json = {"refresh_token": refresh_token}
        return await self.accounts.post("/internal/v1/tokens/refresh", json=json, type=SignInTokens)

    async def families_of(self, sub: str) -> list[FamilyView]:
        """The sign-ins of a person."""
        return (await self.accounts.get(f"/internal/v1/people/{sub}/families", type=Sessions)).items


@asynccontextmanager
async def tokendealer(server: DatabaseServer, home: Path, **environ: str) -> AsyncIterator[Dealer]:
    """A fresh tokendealer while inside. Every answer is held against its OpenAPI document."""
    async with AsyncExitStack() as stack:
        mongo, logs = Mongo(server.uri), RecordedLogs()
        stack.callback(mongo.close)
        stack.callback(logs.close)
        await mongo.drop(SERVICE.database)
        await bootstrap(ProcessSettings(home=home), mongo, NAMES)
        http = HttpClient("tests", RecordedMetrics(), logs.logger())
        stack.push_async_callback(http.close)
        settings = await stack.enter_async_context(process([SERVICE], server.uri, home, **environ))
        trace = checking(await contract_of(settings))
        client = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[trace]))
        accounts, mailer = (
            Peer.of("tokendealer", settings, http, Identity.of(name, settings, http)) for name in ("accounts", "mailer")
        )
        database = mongo.database(SERVICE.database)
        yield Dealer(
            settings=settings,
            client=client,
            http=http,
            accounts=accounts,
            mailer=mailer,
            box=read_secrets(settings),
            clients=ClientStore(database),
            families=FamilyStore(database),
            codes=CodeStore(database),
            consents=ConsentStore(database),
        )


async def contract_of(settings: ProcessSettings) -> Contract:
    """What the tokendealer's document says of its answers."""
    url = f"{settings.url}/api/openapi/tokendealer.json"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return Contract(await answer.json())
