"""Settle what a person may do, or that they may do nothing at all.

Accounts tells of each version more than once, and not in order. The newest that was heard is kept, and it is what is put in
place: whoever finds, afterwards, that a newer one was heard meanwhile, puts that in place too. So the last one to write
writes the newest. Whoever begins a sign-in looks for a bar after that (see `issue_tokens`), and whoever sets one looks
for sign-ins after that: of the two at once, one sees the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.tombstones import Tombstones
from services.tokendealer.domain.families import OWN_CLIENT, Standing
from services.tokendealer.store import FamilyStore, StandingStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore


@dataclass(frozen=True, slots=True)
class SettlePerson:
    """Refresh tokens end, or are worth less, at once; access tokens that are out are good for their five minutes."""

    standings: StandingStore
    families: FamilyStore
    codes: CodeStore
    consents: ConsentStore
    tombstones: Tombstones

    async def __call__(self, standing: Standing) -> None:
        """Do it; safe to repeat."""
        if await self.tombstones.holds(standing.sub):
            return
        current = await self.standings.note(standing)
        while True:
            await self._put_in_place(current)
            newest = await self.standings.find(current.sub)
            if newest is None or newest.version <= current.version:
                return
            current = newest

    async def _put_in_place(self, standing: Standing) -> None:
        sub, scopes = standing.sub, sorted(set(standing.scopes))
        if standing.barred:
            await self.codes.end_all(sub=sub)
            await self.families.end_all_of_person(sub)
        else:
            await self.consents.lessen(scopes, sub=sub)
            await self.codes.lessen(scopes, sub=sub)
            await self.families.allow(sub, OWN_CLIENT, scopes, standing.until)
