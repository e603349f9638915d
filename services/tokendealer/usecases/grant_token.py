"""Answer a client at the token endpoint, by the grant it uses (RFC 6749, 4.1.3, 4.4 and 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from services.tokendealer.domain.clients import Client, narrowed
from services.tokendealer.domain.errors import InvalidGrant, InvalidRequest, SessionEnded, UnsupportedGrantType
from services.tokendealer.minting import Mint, Minted
from services.tokendealer.usecases.refresh_tokens import RefreshTokens
from services.tokendealer.usecases.trade_code import TradeCode


class Wish(Struct, frozen=True):
    """What a client asks the token endpoint for."""

    grant_type: str
    scope: str
    audience: str
    refresh_token: str
    arrived_at: datetime
    code: str = ""
    redirect_uri: str = ""
    code_verifier: str = ""


class Granted(Struct, frozen=True):
    """What it gets; a refresh token only where it came with one."""

    minted: Minted
    refresh_token: str | None


@dataclass(frozen=True, slots=True)
class GrantToken:
    """Raises the errors of RFC 6749, 5.2."""

    mint: Mint
    refresh_tokens: RefreshTokens
    trade_code: TradeCode

    async def __call__(self, client: Client, wish: Wish) -> Granted:
        """The tokens that this client gets."""
        if wish.grant_type == "client_credentials":
            return await self._in_its_own_name(client, wish)
        if wish.grant_type == "refresh_token":
            return await self._refreshed(client, wish)
        if wish.grant_type == "authorization_code":
            client.check_grant("authorization_code")
            sign_in = await self.trade_code(client, wish.code, wish.redirect_uri, wish.code_verifier)
            return Granted(sign_in.minted, sign_in.refresh_token)
        raise UnsupportedGrantType

    async def _in_its_own_name(self, client: Client, wish: Wish) -> Granted:
        client.check_grant("client_credentials")
        audience = client.audience(wish.audience)
        scopes = narrowed(client.scopes, wish.scope)
        return Granted(await self.mint.for_client(client.id, audience, scopes), None)

    async def _refreshed(self, client: Client, wish: Wish) -> Granted:
        client.check_grant("refresh_token")
        if not wish.refresh_token:
            raise InvalidRequest("Send the refresh_token")
        try:
            sign_in = await self.refresh_tokens(
                wish.refresh_token, arrived_at=wish.arrived_at, client_id=client.id, scope=wish.scope
            )
        except SessionEnded as ended:
            raise InvalidGrant from ended
        return Granted(sign_in.minted, sign_in.refresh_token)
