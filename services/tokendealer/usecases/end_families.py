"""Look after the sign-ins of a person: list them, and end them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.chassis.problems import NotFound
from services.tokendealer.domain.families import Family, KeyedHash, RefreshToken
from services.tokendealer.store import FamilyStore
from services.tokendealer.store.authorizations import CodeStore


@dataclass(frozen=True, slots=True)
class EndFamilies:
    """Refresh tokens end at once; access tokens that are out end within their five minutes."""

    families: FamilyStore
    codes: CodeStore
    keyed_hash: KeyedHash
    clock: Callable[[], datetime]

    async def all_of(self, sub: str) -> list[Family]:
        """The sign-ins of a person, newest first."""
        return await self.families.of_person(sub, self.clock())

    async def one(self, sub: str, family_id: str) -> None:
        """End one. Raises `NotFound` where this person has none of this id."""
        if not await self.families.end(family_id, sub=sub):
            raise NotFound

    async def by_token(self, text: str) -> None:
        """End the one that a refresh token belongs to, an earlier token too; anything else is ignored."""
        token = RefreshToken.parse(text)
        family = await self.families.find(token.family, self.clock()) if token else None
        if token and family and family.issued(token, self.keyed_hash):
            await self.families.end(family.id)

    async def others(self, sub: str, keep: str | None) -> None:
        """End all of a person, but the one to keep; apps must be let in again."""
        await self.codes.end_all(sub=sub)
        await self.families.end_all_of_person(sub, keep=keep)
