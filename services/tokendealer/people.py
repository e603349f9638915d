"""What the tokendealer holds of people: their sign-ins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import msgspec

from services.chassis.people import Belonging
from services.tokendealer.store import FamilyStore


class SignInsOfPeople:
    """The tokendealer's part in the people protocol."""

    def __init__(self, families: FamilyStore, clock: Callable[[], datetime]) -> None:
        self._families = families
        self._clock = clock

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """When and through what somebody signed in; nothing that could be signed in with."""
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

    async def erase(self, sub: str) -> None:
        """End every sign-in."""
        await self._families.end_all_of_person(sub)
