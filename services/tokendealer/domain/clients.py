"""OAuth clients: programs that get tokens. Our own services are clients too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from services.chassis.problems import Conflict
from services.tokendealer.domain.errors import InvalidScope, InvalidTarget, UnauthorizedClient

Grant = Literal["authorization_code", "client_credentials", "refresh_token"]
SERVICE_GRANTS: tuple[Grant, ...] = ("client_credentials",)
APP_GRANTS: tuple[Grant, ...] = ("client_credentials", "refresh_token")
# Of apps that people register: in a person's name only, and only after that person has said so.
THIRD_PARTY_GRANTS: tuple[Grant, ...] = ("authorization_code", "refresh_token")

MAX_APPS_OF_ONE = 50
MAX_SECRETS = 5
MAX_REDIRECTS = 10
LONGEST_OVERLAP = timedelta(days=30)
USUAL_OVERLAP = timedelta(days=1)


class PublicKey(Struct, frozen=True, omit_defaults=True):
    """A key that a client signs its assertions with. `kid` is its thumbprint (RFC 7638); one from a certificate expires."""

    kid: str
    alg: str
    pem: str
    expires_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it still proves anything."""
        return self.expires_at is None or self.expires_at > now


class ClientSecret(Struct, frozen=True):
    """A shared secret, as its keyed hash. It is random, so a slow hash would add nothing."""

    hash: str
    created_at: datetime
    expires_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it still proves anything."""
        return self.expires_at is None or self.expires_at > now


class Client(Struct, frozen=True):
    """A program that gets tokens: what for, with which scopes at most, and how it proves who it is.

    One that is `public` (RFC 6749, 2.1) can't keep a secret and proves nothing; `owner` is the person who registered it.
    """

    id: str
    name: str
    kind: Literal["service", "app"]
    scopes: tuple[str, ...]
    grants: tuple[Grant, ...]
    audiences: tuple[str, ...]
    created_at: datetime
    keys: tuple[PublicKey, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()
    owner: str | None = None
    public: bool = False
    redirect_uris: tuple[str, ...] = ()
    updated_at: datetime | None = None
    version: int = 1

    def check_grant(self, grant: Grant) -> None:
        """Raise `UnauthorizedClient` where it may not use this grant."""
        if grant not in self.grants:
            raise UnauthorizedClient

    def audience(self, wanted: str) -> str:
        """The audience of its token: the wanted one, or the only one it may have. Raises `InvalidTarget`."""
        if not wanted and len(self.audiences) == 1:
            return self.audiences[0]
        if wanted not in self.audiences:
            raise InvalidTarget
        return wanted

    def with_secret(self, fresh: ClientSecret, overlap: timedelta) -> Client:
        """Itself with one more secret; the ones before go on for `overlap`. Raises `Conflict` where it has none to keep."""
        if self.public:
            raise Conflict("A public client has no secret: nobody could keep it")
        now = fresh.created_at
        ends = now + overlap
        before = [
            msgspec.structs.replace(secret, expires_at=min(secret.expires_at or ends, ends))
            for secret in self.secrets
            if secret.is_good(now)
        ]
        going_on = [secret for secret in before if secret.is_good(now)]
        return msgspec.structs.replace(self, secrets=(fresh, *going_on[: MAX_SECRETS - 1]))


def narrowed(granted: Iterable[str], wanted: str) -> tuple[str, ...]:
    """The scopes of a token: the wanted ones, or, where none is named, all that are granted. Raises `InvalidScope`."""
    allowed = set(granted)
    asked = set(wanted.split()) or allowed
    if not asked <= allowed:
        raise InvalidScope(f"Not granted: {' '.join(sorted(asked - allowed))}"[:200])
    return tuple(sorted(asked))
