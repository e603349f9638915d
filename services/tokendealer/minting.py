"""Making access tokens, the same way for whoever asked."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from services.chassis.auth import API_AUDIENCE
from services.chassis.metrics import Metrics
from services.tokendealer.domain.families import Family, Lifetimes
from services.tokendealer.keyring import Keyring
from services.tokendealer.signing import AccessToken


class Minted(Struct, frozen=True):
    """An access token, what it allows, and for how many seconds."""

    access_token: str
    expires_in: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mint:
    """Where access tokens are made."""

    keyring: Keyring
    issuer: str
    lifetimes: Lifetimes
    clock: Callable[[], datetime]
    metrics: Metrics

    async def for_client(self, client_id: str, audience: str, scopes: Sequence[str]) -> Minted:
        """A token that a client uses in its own name."""
        self.metrics.incr("tokens.issued", grant="client_credentials")
        return await self._mint(sub=client_id, client_id=client_id, audience=audience, scopes=scopes, family=None)

    async def for_family(self, family: Family, scopes: Sequence[str], *, grant: str) -> Minted:
        """A token that a client uses in a person's name, for the public API."""
        self.metrics.incr("tokens.issued", grant=grant)
        return await self._mint(
            sub=family.sub, client_id=family.client_id, audience=API_AUDIENCE, scopes=scopes, family=family.id
        )

    async def _mint(
        self, *, sub: str, client_id: str, audience: str, scopes: Sequence[str], family: str | None
    ) -> Minted:
        now = int(self.clock().timestamp())
        expires_in = int(self.lifetimes.access.total_seconds())
        token = AccessToken(
            iss=self.issuer,
            sub=sub,
            aud=audience,
            exp=now + expires_in,
            iat=now,
            jti=uuid.uuid4().hex,
            client_id=client_id,
            scope=" ".join(scopes),
            sid=family,
        )
        return Minted(await self.keyring.sign(token), expires_in, tuple(scopes))
