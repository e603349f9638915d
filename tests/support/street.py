"""Accounts, tokendealer and mailer in one process, with real tokens, real mail, and somebody at a browser or a program."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp

from services.accounts import app as accounts
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Database, Document, Mongo
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from services.mailer import app as mailer
from services.tokendealer import app as tokendealer
from tests.support.contract import Contract, checking
from tests.support.database import DatabaseServer
from tests.support.mail import MailServer, mail_server
from tests.support.process import process
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.waiting import eventually

PASSWORD = "correct horse battery staple"
SERVICES = (tokendealer.SERVICE, accounts.SERVICE, mailer.SERVICE)
NAMES = tuple(service.name for service in SERVICES)


@dataclass
class Answered:
    """What came back."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    cookies: dict[str, str]
    set_cookies: list[str]

    @property
    def kind(self) -> str:
        """The last part of a problem's type."""
        return str(self.body.get("type", "")).rpartition("/")[2]


@dataclass
class Street:
    """A running one. `ask` calls the public API; responses are held against the OpenAPI document."""

    settings: ProcessSettings
    http: aiohttp.ClientSession
    mail: MailServer
    mongo: Mongo
    accounts_as_seen_by_mailer: Peer
    accounts_as_seen_by_itself: Peer
    services: Sequence[Service]

    @property
    def database(self) -> Database:
        """The database of accounts."""
        return self.mongo.database(accounts.SERVICE.database)

    async def ask(self, method: str, path: str, body: object = None, *, token: str = "", **headers: str) -> Answered:
        """Call the public API."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        url = f"http://127.0.0.1:{self.settings.port}/api/v1/{path}"
        async with self.http.request(method, url, json=body, headers=sent) as answer:
            raw = await answer.read()
            read = await answer.json(content_type=None) if raw else {}
            cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
            return Answered(answer.status, read, dict(answer.headers), cookies, answer.headers.getall("Set-Cookie", []))

    async def register(self, email: str = "kim@runnerly.test", password: str = PASSWORD, **more: Any) -> Answered:
        """Register somebody."""
        return await self.ask("POST", "accounts", {"email": email, "password": password, "name": "Kim", **more})

    async def sign_in(self, email: str = "kim@runnerly.test", password: str = PASSWORD, **more: Any) -> Answered:
        """Sign in."""
        return await self.ask("POST", "sessions", {"email": email, "password": password, **more})

    async def activate(self, secret: str) -> Answered:
        """Use the link of an activation mail."""
        return await self.ask("POST", "accounts/activation", {"token": secret})

    def mails_to(self, email: str) -> list[EmailMessage]:
        """What an address got, oldest first."""
        return [message for to, message in self.mail.taken if to == email]

    async def secrets_mailed_to(self, email: str, number: int = 1, *, page: str = "activate") -> list[str]:
        """The secrets of so many mails whose link leads to a page, once they have arrived; oldest first."""
        await eventually(lambda: len(self.secrets_so_far(email, page)) >= number)
        return self.secrets_so_far(email, page)

    def secrets_so_far(self, email: str, page: str) -> list[str]:
        """Those that have arrived."""
        bodies = [message.get_body(("plain",)) for message in self.mails_to(email)]
        texts = [body.get_content() for body in bodies if body]
        return [found[1] for text in texts if (found := re.search(rf"/{page}\?token=([\w-]+)", text))]

    async def subjects_to(self, email: str, number: int) -> list[str]:
        """The subjects of so many mails to an address, once they have arrived; oldest first."""
        await eventually(lambda: len(self.mails_to(email)) >= number)
        return [str(message["Subject"]) for message in self.mails_to(email)]

    async def active_runner(self, email: str = "kim@runnerly.test") -> str:
        """The access token of somebody who has registered, activated and signed in."""
        await self.register(email)
        await self.activate((await self.secrets_mailed_to(email))[0])
        return str((await self.sign_in(email)).body["access_token"])


@asynccontextmanager
async def street(
    server: DatabaseServer, home: Path, *, more: Sequence[Service] = (), fresh: bool = True, **environ: str
) -> AsyncIterator[Street]:
    """One while inside, with `more` services on it: with nobody there, or as it was left."""
    services = (*SERVICES, *more)
    names = [service.name for service in services]
    mongo, logs = Mongo(server.uri), RecordedLogs()
    if fresh:
        await forget(mongo, [*(service.database for service in services), "runnerly_bus"])
    await furnish(ProcessSettings(home=home), mongo, names)
    environ = {"RUNNERLY_PEOPLE_OWNERS": ",".join(names), **environ}
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    async with (
        mail_server() as mail,
        process(services, server.uri, home, **{"SMTP_URL": mail.url, **environ}) as settings,
    ):
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{settings.port}/api/openapi/accounts.json") as document,
        ):
            contract = Contract(await document.json())
        mailers, own = (
            Peer.of("accounts", settings, http, Identity.of(name, settings, http)) for name in ("mailer", "accounts")
        )
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(trace_configs=[checking(contract)], cookie_jar=jar) as client:
            yield Street(settings, client, mail, mongo, mailers, own, services)
        await http.close()
    logs.close()
    mongo.close()


@dataclass
class Keys:
    """Keys that `runnerly keys bootstrap` made: its files, and what it wrote into the tokendealer's database."""

    files: dict[str, bytes]
    documents: dict[str, list[Document]]


_made: dict[tuple[str, ...], Keys] = {}


async def furnish(settings: ProcessSettings, mongo: Mongo, names: Sequence[str]) -> None:
    """Bring about every key that is missing: those of an earlier street where there are none yet, as RSA keys take long."""
    folder, database = settings.home / "keys", mongo.database(tokendealer.SERVICE.database)
    if folder.exists() or await database.collection_names():
        await bootstrap(settings, mongo, names)
        return
    keys = _made.get(tuple(names))
    if keys is None:
        await bootstrap(settings, mongo, names)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        there = await database.collection_names()
        documents = {name: await database.collection(name).find({}).to_list(None) for name in there}
        _made[tuple(names)] = Keys(files, documents)
        return
    folder.mkdir(mode=0o700, parents=True)
    for name, content in keys.files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    for name, documents in keys.documents.items():
        if documents:
            await database.collection(name).insert_many(documents)


async def forget(mongo: Mongo, names: Sequence[str]) -> None:
    """Drop these databases."""
    for name in names:
        await mongo.drop(name)
