"""Who is asking: access tokens, checked here and now, without a call to anybody.

A token is a JWT as RFC 9068 profiles it (`typ` at+jwt), signed RS256 by the tokendealer, of at most a few minutes. The
algorithm is fixed and the key is found by `kid` among the keys that the tokendealer publishes; every other hint in a
token's header (`jwk`, `jku`, `x5u`, `x5c`) is ignored, as RFC 8725 asks. A person's token is for the public API, a
service's token is for the one service it calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_decode
from msgspec import Struct

from services.chassis.flight import SingleFlight
from services.chassis.logs import Logger
from services.chassis.problems import Unauthenticated, Unavailable
from services.chassis.scopes import SCOPES, SERVICE

API_AUDIENCE = "runnerly-api"

ALGORITHM = "RS256"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
TOKEN_TYPES = (TOKEN_TYPE, f"application/{TOKEN_TYPE}")
LEEWAY_S = 5
# RFC 9068, 2.2
REQUIRED_CLAIMS = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
MAX_TOKEN_CHARS = 8_192
MAX_CACHED = 20_000
MIN_KEY_BITS = 2_048

FETCH_TIMEOUT_S = 5.0
REFRESH_AFTER_S = 300.0
BETWEEN_FETCHES_S, BETWEEN_FIRST_FETCHES_S = 5.0, 0.5
TRUST_KEYS_FOR_S = 3_600.0


class BadToken(Unauthenticated):
    """A token came, and it is not one we accept (RFC 6750, 3.1)."""

    kind = "invalid-token"
    title = "The access token is not valid"

    def __init__(self, detail: str = "") -> None:
        detail = detail or self.title
        challenge = f'Bearer error="invalid_token", error_description="{detail}"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class Caller(Struct, frozen=True):
    """Who asks, and what they may do. `session` is the sign-in (token family) that a person's token belongs to."""

    sub: str
    scopes: frozenset[str]
    audience: str
    client_id: str | None
    kind: Literal["person", "service"]
    expires_at: float
    session: str | None = None


class Jwk(Struct, frozen=True):
    """One published key (RFC 7517); members that we have no use for are not read."""

    kty: str
    kid: str = ""
    use: str = "sig"
    alg: str = ALGORITHM
    n: str = ""
    e: str = ""


class JwkSet(Struct, frozen=True):
    """The keys that the tokendealer publishes."""

    keys: tuple[Jwk, ...]


class Claims(Struct, frozen=True):
    """The claims we rely on, with the types they must have (RFC 9068, 2.2)."""

    sub: str
    aud: str
    exp: float
    client_id: str
    scope: str = ""
    sid: str | None = None


JwksSource = Callable[[], Awaitable[JwkSet]]


class Keys:
    """The tokendealer's public keys, fetched when first needed and kept: one for all verifiers of a process.

    They are refreshed in the background once they are five minutes old, and at once when a token names a key that we
    do not know; at most one fetch runs at a time and no two start within five seconds, so that tokens with invented
    key ids cost the tokendealer nothing. While it is away the keys we have stay good, for an hour.
    """

    def __init__(
        self, source: JwksSource, *, log: Logger | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._log = log
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at = float("-inf")
        self._flight: SingleFlight[None] = SingleFlight()
        self.generation = 0

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """The key of this id, or None. Raises `Unavailable` while there are no keys to be trusted at all."""
        if self._age_s() > TRUST_KEYS_FOR_S:
            await self.refresh()
            if self._age_s() > TRUST_KEYS_FOR_S:
                raise Unavailable("The keys that tokens are checked with are not available right now")
        elif kid not in self._keys:
            await self.refresh()
        elif self._age_s() > REFRESH_AFTER_S and self._may_fetch():
            self._flight.start(self._fetch)
        return self._keys.get(kid)

    async def refresh(self) -> None:
        """Wait for the fetch that runs, or for a new one where that is allowed by now. It never raises."""
        if self._flight.running or self._may_fetch():
            await self._flight.join(self._fetch)

    def _may_fetch(self) -> bool:
        between_s = BETWEEN_FETCHES_S if self._keys else BETWEEN_FIRST_FETCHES_S
        return self._monotonic() - self._tried_at >= between_s

    async def _fetch(self) -> None:
        self._tried_at = self._monotonic()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                self._replace(await self._source())
        except Exception as failure:  # noqa: BLE001 - whatever it is, we go on with the keys we have
            if self._log is not None:
                self._log.warning("auth.keys_not_refreshed", reason=repr(failure))

    def _replace(self, published: JwkSet) -> None:
        keys = {key.kid: _usable(key) for key in published.keys if key.kty == "RSA" and key.use == "sig" and key.kid}
        if any(kid not in keys for kid in self._keys):
            self.generation += 1
        self._keys = keys
        self._fetched_at = self._monotonic()

    def _age_s(self) -> float:
        return float("inf") if self._fetched_at is None else self._monotonic() - self._fetched_at


class Verifier:
    """Checks the tokens that are meant for one audience, and remembers those it has checked until they expire.

    `departed` says of a person whether they were deleted: their tokens are refused, however long they would live.
    """

    def __init__(
        self,
        issuer: str,
        keys: Keys,
        audience: str,
        *,
        departed: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._keys = keys
        self._audience = audience
        self._departed = departed
        self._clock = clock
        self._known: dict[bytes, Caller] = {}
        self._generation = keys.generation

    def cached(self, token: str) -> Caller | None:
        """The caller, where this very token was verified before and holds still. It never waits."""
        if self._generation != self._keys.generation:
            self._known.clear()
            self._generation = self._keys.generation
        caller = self._known.get(_digest(token))
        if caller is None or caller.expires_at <= self._clock() or self._departed(caller.sub):
            return None
        return caller

    async def verify(self, token: str) -> Caller:
        """The caller that this token speaks for. Raises `BadToken`, or `Unavailable` while there are no keys."""
        caller = self.cached(token)
        if caller is None:
            key = await self._keys.find(_kid(token))
            if key is None:
                raise BadToken("The access token is signed with an unknown key")
            caller = self._caller(self._checked(token, key))
            if self._departed(caller.sub):
                raise BadToken("The account of this access token was deleted")
            self._remember(token, caller)
        return caller

    def _checked(self, token: str, key: jwt.PyJWK) -> Claims:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_S,
                options={"require": list(REQUIRED_CLAIMS), "strict_aud": True},
            )
            check_names(token)
            return msgspec.convert(claims, Claims)
        except jwt.ExpiredSignatureError as failure:
            raise BadToken("The access token has expired") from failure
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as failure:
            raise BadToken from failure

    def _caller(self, claims: Claims) -> Caller:
        scopes = frozenset(claims.scope.split()) & SCOPES.keys()
        is_service = SERVICE in scopes
        if is_service == (self._audience == API_AUDIENCE):
            raise BadToken("The access token is not meant for this")
        kind: Literal["person", "service"] = "service" if is_service else "person"
        return Caller(claims.sub, scopes, claims.aud, claims.client_id, kind, claims.exp, claims.sid)

    def _remember(self, token: str, caller: Caller) -> None:
        if len(self._known) >= MAX_CACHED:
            now = self._clock()
            self._known = {key: known for key, known in self._known.items() if known.expires_at > now}
            while len(self._known) >= MAX_CACHED:
                del self._known[next(iter(self._known))]
        self._known[_digest(token)] = caller


def _kid(token: str) -> str:
    """The id of the key that signed this token, after a look at its shape. Raises `BadToken`."""
    if len(token) > MAX_TOKEN_CHARS:
        raise BadToken("The access token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as failure:
        raise BadToken from failure
    kid = header.get("kid")
    typ = header.get("typ")
    if header.get("alg") != ALGORITHM or not isinstance(typ, str) or typ.lower() not in TOKEN_TYPES:
        raise BadToken
    if not isinstance(kid, str) or "crit" in header or "b64" in header:
        raise BadToken
    return kid


def check_names(token: str) -> None:
    """Raise `ValueError` where a header parameter or a claim comes twice: two parsers may read two things (RFC 7519, 4)."""
    for segment in token.split(".")[:2]:
        json.loads(base64url_decode(segment), object_pairs_hook=_all_different)


def _all_different(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name comes twice")
    return found


def _usable(key: Jwk) -> jwt.PyJWK:
    """The key, ready to verify with. Raises `ValueError` for one too short to be trusted."""
    made = jwt.PyJWK.from_dict({"kty": key.kty, "n": key.n, "e": key.e}, ALGORITHM)
    if not isinstance(made.key, RSAPublicKey) or made.key.key_size < MIN_KEY_BITS:
        raise ValueError(f"Key {key.kid} is not an RSA public key of at least {MIN_KEY_BITS} bits")
    return made


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
