"""Trade a refresh token for the next one and a new access token; one that was traded before ends its whole family.

Two requests with the same token that overlap are no theft: a browser with two tabs does that. So a request that came in
before the other one rotated the family - whose answer nobody can have seen by then - is given the very same tokens, once
the rotation is there. One that came later knew, or could have known, the next token: it is a reuse (RFC 9700, 4.14.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.tokendealer.domain.clients import narrowed
from services.tokendealer.domain.errors import SessionEnded
from services.tokendealer.domain.families import Family, KeyedHash, Lifetimes, RefreshToken
from services.tokendealer.minting import Mint
from services.tokendealer.store import FamilyStore
from services.tokendealer.usecases.issue_tokens import SignIn


@dataclass(frozen=True, slots=True)
class RefreshTokens:
    """Raises `SessionEnded` for a token that is not good, and `InvalidScope` for more than was granted."""

    families: FamilyStore
    mint: Mint
    lifetimes: Lifetimes
    keyed_hash: KeyedHash
    clock: Callable[[], datetime]
    metrics: Metrics
    log: Logger

    async def __call__(
        self, text: str, *, arrived_at: datetime, client_id: str | None = None, scope: str = ""
    ) -> SignIn:
        """The next tokens. `client_id` is the client that asks, where it had to prove itself."""
        token = RefreshToken.parse(text)
        family = await self._family_of(token, client_id)
        if token is None or family is None:
            self.metrics.incr("tokens.refused", reason="session_ended")
            raise SessionEnded
        scopes = narrowed(family.scopes, scope)
        current = await self._rotated(family, token, arrived_at)
        minted = await self.mint.for_family(current, scopes, grant="refresh_token")
        return SignIn(current, current.token(self.keyed_hash), minted)

    async def _family_of(self, token: RefreshToken | None, client_id: str | None) -> Family | None:
        """The family that really issued this token, to this client."""
        family = await self.families.find(token.family, self.clock()) if token else None
        if token is None or family is None or not family.issued(token, self.keyed_hash):
            return None
        return family if client_id in {None, family.client_id} else None

    async def _rotated(self, family: Family, token: RefreshToken, arrived_at: datetime) -> Family:
        now = self.clock()
        if token.generation == family.generation:
            expires_at = self.lifetimes.family_ends(family.created_at, now, family.until)
            rotated = await self.families.rotate(family, now, expires_at)
            if rotated is not None:
                return rotated
        current = await self.families.find(family.id, now)
        if current is None:
            raise SessionEnded
        if token.generation == current.generation - 1 and arrived_at < current.rotated_at:
            return current
        await self.families.end(family.id)
        self.metrics.incr("tokens.refused", reason="reused")
        self.log.error("session.reused")
        raise SessionEnded
