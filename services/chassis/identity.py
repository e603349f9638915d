"""A service's own identity: how it proves who it is to another service, and how it calls one.

It signs an assertion with its private key (RFC 7523, `private_key_jwt`), trades it at the tokendealer for a token that is
good for one callee, and keeps that token until shortly before it expires.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from services.chassis.flight import SingleFlight
from services.chassis.http_answers import HttpResponse, PeerRefused, PeerUnavailable
from services.chassis.http_client import HttpClient, StreamedResponse
from services.chassis.scopes import SERVICE
from services.chassis.settings import ProcessSettings, WrongSetting

T = TypeVar("T")

TOKENDEALER = "tokendealer"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHM = "ES256"
ASSERTION_FOR_S = 60
TOKEN_TIMEOUT_S = 5.0
PEER_TIMEOUT_S = 10.0
RENEW_BEFORE_S = 60.0
TOO_LATE_S = 5.0
UNAUTHORIZED = 401


class IssuedToken(Struct, frozen=True):
    """What the token endpoint answers (RFC 6749, 5.1), as far as it is used here."""

    access_token: str
    expires_in: int


class _Held(Struct, frozen=True):
    token: str
    expires_at: float


class Identity:
    """Who a service is. `key` reads its private key, when first needed; `endpoint` is the tokendealer's token endpoint."""

    def __init__(
        self,
        service: str,
        key: Callable[[], EllipticCurvePrivateKey],
        *,
        issuer: str,
        endpoint: str,
        http: HttpClient,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.service = service
        self._key = key
        self._issuer = issuer
        self._endpoint = endpoint
        self._http = http
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._flights: dict[str, SingleFlight[str]] = {}

    @classmethod
    def of(cls, service: str, process: ProcessSettings, http: HttpClient) -> Identity:
        """The identity of a service of this process, with the key that `runnerly keys bootstrap` made for it."""
        path = service_key_path(process, service)
        endpoint = f"{process.peer(TOKENDEALER)}/oauth/token"
        return cls(service, lambda: read_service_key(path), issuer=process.url, endpoint=endpoint, http=http)

    async def token(self, audience: str) -> str:
        """A token for calling the service `audience`. Raises `PeerUnavailable`, or `PeerRefused` where we are not known.

        One that is about to expire is renewed in the background, and used meanwhile.
        """
        held, now = self._held.get(audience), self._clock()
        if held is None or held.expires_at - TOO_LATE_S <= now:
            return await self._flight(audience).join(lambda: self._fetch(audience))
        if held.expires_at - RENEW_BEFORE_S <= now:
            self._flight(audience).start(lambda: self._renew(audience, held.token))
        return held.token

    def forget(self, audience: str, token: str) -> None:
        """Don't use this token again: its audience refused it."""
        held = self._held.get(audience)
        if held is not None and held.token == token:
            del self._held[audience]

    def assertion(self) -> str:
        """A fresh proof, for one use, that we are who we say (RFC 7523, 3)."""
        now = int(self._clock())
        claims = {
            "iss": self.service,
            "sub": self.service,
            "aud": self._issuer,
            "iat": now,
            "exp": now + ASSERTION_FOR_S,
        }
        return jwt.encode({**claims, "jti": uuid.uuid4().hex}, self._key(), algorithm=ASSERTION_ALGORITHM)

    def _flight(self, audience: str) -> SingleFlight[str]:
        return self._flights.setdefault(audience, SingleFlight())

    async def _renew(self, audience: str, current: str) -> str:
        try:
            return await self._fetch(audience)
        except (PeerUnavailable, PeerRefused):
            return current

    async def _fetch(self, audience: str) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
            "scope": SERVICE,
            "audience": audience,
        }
        # Not idempotent: an assertion is good for one use, and the first of two calls may have used it up.
        response = await self._http.request(
            "POST", self._endpoint, party=TOKENDEALER, form=form, timeout_s=TOKEN_TIMEOUT_S, idempotent=False
        )
        issued = response.accepted().json(IssuedToken)
        self._held[audience] = _Held(issued.access_token, self._clock() + issued.expires_in)
        return issued.access_token


class Peer:
    """Another service of ours, as one service calls it. `name` is its audience and its circuit's party."""

    def __init__(self, http: HttpClient, identity: Identity, name: str, base_url: str) -> None:
        self.name = name
        self._http = http
        self._identity = identity
        self._base_url = base_url

    @classmethod
    def of(cls, name: str, process: ProcessSettings, http: HttpClient, identity: Identity) -> Peer:
        """The service of this name, where this deployment has it."""
        return cls(http, identity, name, process.peer(name))

    @overload
    async def get(self, path: str, *, timeout_s: float = ..., type: type[T]) -> T: ...
    @overload
    async def get(self, path: str, *, timeout_s: float = ..., type: None = ...) -> None: ...
    async def get(self, path: str, *, timeout_s: float = PEER_TIMEOUT_S, type: type[T] | None = None) -> T | None:  # noqa: A002
        """Read. Raises `PeerRefused`, `PeerUnavailable`."""
        return _read(await self._call("GET", path, None, {}, timeout_s), type)

    @overload
    async def post(
        self, path: str, *, json: object = ..., key: str | None = ..., timeout_s: float = ..., type: type[T]
    ) -> T: ...
    @overload
    async def post(
        self, path: str, *, json: object = ..., key: str | None = ..., timeout_s: float = ..., type: None = ...
    ) -> None: ...
    async def post(
        self,
        path: str,
        *,
        json: object = None,
        key: str | None = None,
        timeout_s: float = PEER_TIMEOUT_S,
        type: type[T] | None = None,  # noqa: A002
    ) -> T | None:
        """Create or do. With `key`, an Idempotency-Key, it may be repeated. Raises `PeerRefused`, `PeerUnavailable`."""
        headers = {"Idempotency-Key": key} if key else {}
        return _read(await self._call("POST", path, json, headers, timeout_s), type)

    async def put(self, path: str, *, json: object = None, timeout_s: float = PEER_TIMEOUT_S) -> None:
        """Put in place. Raises `PeerRefused`, `PeerUnavailable`."""
        await self._call("PUT", path, json, {}, timeout_s)

    @overload
    async def delete(self, path: str, *, timeout_s: float = ..., type: type[T]) -> T: ...
    @overload
    async def delete(self, path: str, *, timeout_s: float = ..., type: None = ...) -> None: ...
    async def delete(self, path: str, *, timeout_s: float = PEER_TIMEOUT_S, type: type[T] | None = None) -> T | None:  # noqa: A002
        """Remove. Raises `PeerRefused`, `PeerUnavailable`."""
        return _read(await self._call("DELETE", path, None, {}, timeout_s), type)

    @asynccontextmanager
    async def stream(self, path: str, *, timeout_s: float = PEER_TIMEOUT_S) -> AsyncIterator[StreamedResponse]:
        """Read something large as it comes. Raises `PeerRefused`, `PeerUnavailable`."""
        headers = {"Authorization": f"Bearer {await self._identity.token(self.name)}"}
        url = self._base_url + path
        async with self._http.stream("GET", url, party=self.name, headers=headers, timeout_s=timeout_s) as response:
            yield await response.accepted()

    async def _call(
        self, method: str, path: str, json: object, headers: Mapping[str, str], timeout_s: float
    ) -> HttpResponse:
        async def attempt(token: str) -> HttpResponse:
            return await self._http.request(
                method,
                self._base_url + path,
                party=self.name,
                json=json,
                headers={**headers, "Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
                timeout_s=timeout_s,
            )

        token = await self._identity.token(self.name)
        response = await attempt(token)
        if response.status == UNAUTHORIZED:
            # The signing key was withdrawn, or the address of Runnerly changed: a new token helps, if anything does.
            self._identity.forget(self.name, token)
            response = await attempt(await self._identity.token(self.name))
        return response.accepted()


def service_key_path(process: ProcessSettings, service: str) -> Path:
    """The file of a service's private key."""
    return process.home / "keys" / f"{service}.pem"


def read_service_key(path: Path) -> EllipticCurvePrivateKey:
    """The private key in a file. Raises `WrongSetting` with what to do."""
    try:
        key: Any = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as failure:
        raise WrongSetting(f"{path} holds no private key: run `runnerly keys bootstrap`") from failure
    if not isinstance(key, EllipticCurvePrivateKey):
        raise WrongSetting(f"{path} holds a key of another kind: remove it and run `runnerly keys bootstrap`")
    return key


def _read(response: HttpResponse, type_: type[T] | None) -> T | None:
    return None if type_ is None else response.json(type_)
