"""Begin a sign-in: a person's first access token, and the family of refresh tokens behind it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from services.chassis.problems import Gone
from services.chassis.tombstones import Tombstones
from services.tokendealer.domain.families import Family, KeyedHash, Lifetimes
from services.tokendealer.minting import Mint, Minted
from services.tokendealer.store import FamilyStore, StandingStore

SEED_BYTES, ID_BYTES = 32, 18


class Order(Struct, frozen=True):
    """Whose tokens: a person's, through a client, with these scopes. `label` is how the person will know it again.

    `until` is when it ends at the latest, where that is sooner than others do.
    """

    sub: str
    client_id: str
    scopes: tuple[str, ...]
    label: str
    until: datetime | None = None


class SignIn(Struct, frozen=True):
    """The tokens of a sign-in as they are now."""

    family: Family
    refresh_token: str
    minted: Minted


@dataclass(frozen=True, slots=True)
class IssueTokens:
    """Raises `Gone` for a person who was deleted, or is barred."""

    families: FamilyStore
    standings: StandingStore
    tombstones: Tombstones
    mint: Mint
    lifetimes: Lifetimes
    keyed_hash: KeyedHash
    clock: Callable[[], datetime]

    async def __call__(self, order: Order, *, family: str | None = None, grant: str = "sign_in") -> SignIn:
        """Begin it; `family` is the id it is to have, where that was settled before."""
        if await self.tombstones.holds(order.sub):
            raise Gone("This person is not here any more")
        now = self.clock()
        begun = Family(
            id=family or secrets.token_urlsafe(ID_BYTES),
            sub=order.sub,
            client_id=order.client_id,
            scopes=tuple(sorted(set(order.scopes))),
            label=order.label,
            generation=1,
            seed=secrets.token_bytes(SEED_BYTES),
            created_at=now,
            rotated_at=now,
            expires_at=self.lifetimes.family_ends(now, now, order.until),
            until=order.until,
        )
        minted = await self.mint.for_family(begun, begun.scopes, grant=grant)
        await self.families.add(begun)
        standing = await self.standings.find(order.sub)
        if standing is not None and standing.barred:
            await self.families.end(begun.id)
            raise Gone("This person is barred")
        return SignIn(begun, begun.token(self.keyed_hash), minted)
