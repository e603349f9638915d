"""Show a person which apps they let in, and let them change their mind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.chassis.logs import Logger
from services.tokendealer.domain.authorizations import LetIn
from services.tokendealer.store import ClientStore, FamilyStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore


@dataclass(frozen=True, slots=True)
class KeepConsents:
    """Refresh tokens end at once; access tokens that are out end within their five minutes."""

    clients: ClientStore
    consents: ConsentStore
    codes: CodeStore
    families: FamilyStore
    clock: Callable[[], datetime]
    log: Logger

    async def of(self, sub: str) -> list[LetIn]:
        """The apps that a person let in, newest first."""
        used: dict[str, datetime] = {}
        for family in await self.families.of_person(sub, self.clock()):
            used[family.client_id] = max(family.rotated_at, used.get(family.client_id, family.rotated_at))
        found = []
        for consent in await self.consents.of_person(sub):
            client = await self.clients.find(consent.client_id)
            if client is not None:
                found.append(LetIn(client, consent, used.get(consent.client_id)))
        return found

    async def withdraw(self, sub: str, client_id: str) -> None:
        """Let an app do nothing more for a person. In this order: a code that is being traded now finds no consent."""
        withdrawn = await self.consents.withdraw(sub=sub, client_id=client_id)
        await self.codes.end_all(sub=sub, client_id=client_id)
        await self.families.end_all_of_person_with(sub, client_id)
        if withdrawn:
            self.log.info("consent.withdrawn", client_id=client_id)
