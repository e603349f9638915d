"""What the tokendealer holds of people: their sign-ins, and the apps they registered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import msgspec

from services.chassis.people import Belonging
from services.tokendealer.domain.clients import MAX_APPS_OF_ONE
from services.tokendealer.store import ClientStore, FamilyStore
from services.tokendealer.usecases.keep_apps import KeepApps


class HeldOfPeople:
    """The tokendealer's part in the people protocol."""

    def __init__(
        self, families: FamilyStore, clients: ClientStore, keep_apps: KeepApps, clock: Callable[[], datetime]
    ) -> None:
        self._families = families
        self._clients = clients
        self._keep_apps = keep_apps
        self._clock = clock

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """When and through what somebody signed in, and their apps; nothing that could be signed in with."""
        for family in await self._families.of_person(sub, self._clock()):
            shown = {
                "client_id": family.client_id,
                "scopes": family.scopes,
                "label": family.label,
                "created_at": family.created_at,
                "last_used_at": family.rotated_at,
                "expires_at": family.expires_at,
            }
            yield Belonging(f"sign-ins/{family.id}.json", msgspec.json.encode(shown))
        for client in await self._clients.apps(sub, None, 2 * MAX_APPS_OF_ONE):
            shown = {
                "client_id": client.id,
                "name": client.name,
                "public": client.public,
                "redirect_uris": client.redirect_uris,
                "scopes": client.scopes,
                "created_at": client.created_at,
            }
            yield Belonging(f"apps/{client.id}.json", msgspec.json.encode(shown))

    async def erase(self, sub: str) -> None:
        """End every sign-in, and remove every app with all that others let it do."""
        await self._families.end_all_of_person(sub)
        await self._keep_apps.forget_all_of(sub)
