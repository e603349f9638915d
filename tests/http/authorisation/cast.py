"""Who tries: people with every role, apps, services, and those who only look like it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec

from services.accounts.domain.accounts import RUNNER_SCOPES, Account, Profile, Role
from services.accounts.store.accounts import Accounts
from services.chassis.bus.outbox import Outbox
from services.chassis.http_client import HttpClient
from services.chassis.idempotency import unkeyed
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Mongo
from services.chassis.scopes import FOR_APPS, SCOPES, SERVICE
from services.chassis.secrets import read_secrets
from services.chassis.settings import ProcessSettings
from services.command.street import NAMES, service
from services.tokendealer.domain.families import OWN_CLIENT, Family, Lifetimes
from services.tokendealer.handlers.families import SignInTokens
from services.tokendealer.keyring import Keyring
from services.tokendealer.minting import Mint
from services.tokendealer.store import KeyStore
from tests.http.authorisation.operations import Operation
from tests.support.recorded import RecordedLogs, RecordedMetrics

PEOPLES_SCOPES = tuple(scope for scope in SCOPES if scope != SERVICE)
REFUSED_AS_NOBODY = {"unauthenticated", "invalid-token"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def verdict(self) -> str:
        """Whether it was let through: `yes`, `401`, `403` or `404`. What is wrong with the input is asked only then."""
        assert self.status < 500, self.body
        if self.status == 401 and self._kind not in REFUSED_AS_NOBODY:
            return "yes"  # a wrong password, an ended session: it was looked at
        return str(self.status) if self.status in {401, 403, 404} else "yes"

    @property
    def _kind(self) -> str:
        told = self.json if self.body.startswith(b"{") else {}
        return str(told.get("type", "")).rpartition("/")[2]


@dataclass
class Cast:
    """Everybody, at a Runnerly that serves."""

    settings: ProcessSettings
    client: aiohttp.ClientSession
    http: HttpClient
    mongo: Mongo
    numbers: itertools.count[int]

    async def person(self, *roles: Role, password: str = "-") -> str:  # noqa: S107 - none that anybody could type
        """Somebody with an account that is active; their id."""
        number, now = next(self.numbers), datetime.now(UTC)
        database = self.mongo.database(service("accounts").database)
        account = Account(
            id=f"person-{number}",
            email=f"person-{number}@runnerly.test",
            password=password,
            profile=Profile(f"Person {number}"),
            created_at=now,
            roles=(Role.RUNNER, *roles),
            activated_at=now,
        )
        await Accounts(database, Outbox(database)).add(account, account.email, [], [], unkeyed())
        return account.id

    async def token(self, sub: str, *scopes: str, client: str = OWN_CLIENT) -> str:
        """A token of a person, through our own pages or an app."""
        return (await self.signed_in(sub, *(scopes or RUNNER_SCOPES), client=client)).access_token

    async def signed_in(self, sub: str, *scopes: str, client: str = OWN_CLIENT) -> SignInTokens:
        """A sign-in of a person."""
        order = {"sub": sub, "client": client, "scopes": scopes, "label": "a test"}
        return await self.peer("accounts", "tokendealer").post("/internal/v1/tokens", json=order, type=SignInTokens)

    async def app_token(self, sub: str) -> str:
        """The token of an app that a person let do all that an app can."""
        return await self.token(sub, *FOR_APPS, client="app-of-somebody")

    async def expired_token(self, sub: str) -> str:
        """A token that was good an hour ago: signed by us, with all scopes."""
        keys = KeyStore(self.mongo.database(service("tokendealer").database))
        box, now = read_secrets(self.settings), datetime.now(UTC)
        logs = RecordedLogs()
        keyring = Keyring(keys, box, lambda: now, logs.logger())
        lifetimes = Lifetimes(timedelta(minutes=5), timedelta(days=1), timedelta(days=1))
        mint = Mint(keyring, self.settings.url, lifetimes, lambda: now - timedelta(hours=1), RecordedMetrics())
        scopes = PEOPLES_SCOPES
        family = Family("f", sub, OWN_CLIENT, scopes, "", 1, b"", now, now, now)
        minted = await mint.for_family(family, scopes, grant="sign_in")
        logs.close()
        return minted.access_token

    async def service_token(self, name: str, audience: str) -> str:
        """The token of one service for another."""
        return await Identity.of(name, self.settings, self.http).token(audience)

    def peer(self, name: str, other: str) -> Peer:
        """One service as it calls another."""
        return Peer.of(other, self.settings, self.http, Identity.of(name, self.settings, self.http))

    async def ask(
        self, operation: Operation, token: str, things: dict[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Call an operation: with its body, or with the emptiest there is."""
        path = operation.path.format_map(things or dict.fromkeys(operation.parameters, "nothing"))
        return await self.call(operation.method, self.base(operation) + path, token, operation.media_types, body)

    async def call(
        self, method: str, url: str, token: str, media_types: frozenset[str] = frozenset(), body: Any = None
    ) -> Answer:
        """Send a request. Of a stream of events the first line is enough."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent: bytes | None = None
        if media_types:
            kind = next((kind for kind in ("application/json", FORM) if kind in media_types), FILE)
            headers["Content-Type"] = kind
            sent = body if isinstance(body, bytes) else b"" if kind == FORM else msgspec.json.encode(body or {})
        async with self.client.request(method, url, data=sent, headers=headers, allow_redirects=False) as answer:
            streams = answer.content_type == "text/event-stream"
            return Answer(answer.status, await (answer.content.readline() if streams else answer.read()))

    def base(self, operation: Operation) -> str:
        """Where an operation is."""
        if operation.path.startswith("/internal/"):
            return self.settings.peer(operation.service)
        return f"http://127.0.0.1:{self.settings.port}"


FORM, FILE = "application/x-www-form-urlencoded", "application/octet-stream"
ALL = NAMES
