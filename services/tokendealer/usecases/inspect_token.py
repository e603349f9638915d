"""Tell what a token is, and whether it is good now (RFC 7662), or withdraw it (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from services.chassis.auth import Jwk
from services.tokendealer.domain.clients import Client
from services.tokendealer.domain.families import Family, KeyedHash, RefreshToken
from services.tokendealer.keyring import Keyring
from services.tokendealer.signing import AccessToken, read_access_token
from services.tokendealer.store import ClientStore, FamilyStore


class Found(Struct, frozen=True):
    """A token that is good now: an access token, with its sign-in where it belongs to one, or a refresh token."""

    access: AccessToken | None
    family: Family | None

    @property
    def client_id(self) -> str:
        """The client it was issued to."""
        return self.access.client_id if self.access else self.family.client_id if self.family else ""


@dataclass(frozen=True, slots=True)
class InspectToken:
    """A client may ask about its own tokens, a service of ours about any."""

    keyring: Keyring
    clients: ClientStore
    families: FamilyStore
    issuer: str
    keyed_hash: KeyedHash
    clock: Callable[[], datetime]

    async def __call__(self, client: Client, text: str) -> Found | None:
        """The token, where it is good and this client may know of it."""
        found = await self._find(text)
        if found is None or (client.kind != "service" and found.client_id != client.id):
            return None
        return found

    async def revoke(self, client: Client, text: str) -> None:
        """End the sign-in that a token of this client belongs to. What is no such token is ignored (RFC 7009, 2.2)."""
        token = RefreshToken.parse(text)
        family = await self._issuing_family(token) if token else await self._family_behind(text)
        if family is not None and family.client_id == client.id:
            await self.families.end(family.id)

    async def _find(self, text: str) -> Found | None:
        token = RefreshToken.parse(text)
        if token is not None:
            family = await self._issuing_family(token)
            return Found(None, family) if family and family.generation == token.generation else None
        access = await self._access_token(text)
        if access is None:
            return None
        if access.sid is None:
            return Found(access, None) if await self.clients.find(access.client_id) else None
        family = await self.families.find(access.sid, self.clock())
        return Found(access, family) if family else None

    async def _issuing_family(self, token: RefreshToken) -> Family | None:
        family = await self.families.find(token.family, self.clock())
        return family if family and family.issued(token, self.keyed_hash) else None

    async def _family_behind(self, text: str) -> Family | None:
        access = await self._access_token(text)
        return await self.families.find(access.sid, self.clock()) if access and access.sid else None

    async def _access_token(self, text: str) -> AccessToken | None:
        published = {key.kid: Jwk(kty="RSA", n=key.n, e=key.e) for key in await self.keyring.published()}
        return read_access_token(text, published, self.issuer)
