"""OAuth clients: programs that get tokens. Our own services are clients too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from services.tokendealer.domain.errors import InvalidScope, InvalidTarget, UnauthorizedClient

Grant = Literal["client_credentials", "refresh_token"]
SERVICE_GRANTS: tuple[Grant, ...] = ("client_credentials",)
APP_GRANTS: tuple[Grant, ...] = ("client_credentials", "refresh_token")


class PublicKey(Struct, frozen=True):
    """A key that a client signs its assertions with. `kid` is its thumbprint (RFC 7638)."""

    kid: str
    alg: str
    pem: str


class ClientSecret(Struct, frozen=True):
    """A shared secret, as its keyed hash. It is random, so a slow hash would add nothing."""

    hash: str
    created_at: datetime


class Client(Struct, frozen=True):
    """A program that gets tokens: what for, with which scopes at most, and how it proves who it is."""

    id: str
    name: str
    kind: Literal["service", "app"]
    scopes: tuple[str, ...]
    grants: tuple[Grant, ...]
    audiences: tuple[str, ...]
    created_at: datetime
    keys: tuple[PublicKey, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()

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


def narrowed(granted: Iterable[str], wanted: str) -> tuple[str, ...]:
    """The scopes of a token: the wanted ones, or, where none is named, all that are granted. Raises `InvalidScope`."""
    allowed = set(granted)
    asked = set(wanted.split()) or allowed
    if not asked <= allowed:
        raise InvalidScope(f"Not granted: {' '.join(sorted(asked - allowed))}"[:200])
    return tuple(sorted(asked))
