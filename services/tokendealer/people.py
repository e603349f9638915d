"""What the tokendealer holds of people: their sign-ins, the apps they let in, and the apps they registered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import msgspec

from services.chassis.people import Belonging
from services.tokendealer.domain.clients import MAX_APPS_OF_ONE
from services.tokendealer.store import ClientStore, FamilyStore
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from services.tokendealer.usecases.keep_apps import KeepApps


class HeldOfPeople:
    """The tokendealer's part in the people protocol."""

    def __init__(
        self,
        *,
        families: FamilyStore,
        clients: ClientStore,
        codes: CodeStore,
        consents: ConsentStore,
        keep_apps: KeepApps,
        clock: Callable[[], datetime],
    ) -> None:
        self._families = families
        self._clients = clients
        self._codes = codes
        self._consents = consents
        self._keep_apps = keep_apps
        self._clock = clock

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """When and through what somebody signed in, what they let in, their apps; nothing that could be signed in with."""
        for family in await self._families.of_person(sub, self._clock()):
            yield _shown(
                f"sign-ins/{family.id}",
                client_id=family.client_id,
                scopes=family.scopes,
                label=family.label,
                created_at=family.created_at,
                last_used_at=family.rotated_at,
                expires_at=family.expires_at,
            )
        for consent in await self._consents.of_person(sub):
            yield _shown(f"apps-let-in/{consent.client_id}", **msgspec.structs.asdict(consent))
        for number, code in enumerate(await self._codes.of_person(sub), 1):
            yield _shown(
                f"codes-for-apps/{number}",
                client_id=code.client_id,
                redirect_uri=code.redirect_uri,
                scopes=code.scopes,
                created_at=code.created_at,
                used=code.family is not None,
            )
        for client in await self._clients.apps(sub, None, 2 * MAX_APPS_OF_ONE):
            yield _shown(
                f"apps/{client.id}",
                client_id=client.id,
                name=client.name,
                public=client.public,
                redirect_uris=client.redirect_uris,
                scopes=client.scopes,
                created_at=client.created_at,
            )

    async def erase(self, sub: str) -> None:
        """End every sign-in, take back every consent, and remove every app with all that others let it do.

        In this order: a code that is being traded now finds no consent, and ends what it began.
        """
        await self._consents.withdraw(sub=sub)
        await self._codes.end_all(sub=sub)
        await self._families.end_all_of_person(sub)
        await self._keep_apps.forget_all_of(sub)


def _shown(path: str, /, **values: Any) -> Belonging:
    return Belonging(f"{path}.json", msgspec.json.encode(values))
