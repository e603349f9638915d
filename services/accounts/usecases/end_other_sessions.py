"""After the second factor was turned on or off: the person's other sessions of before end, as they began under other rules."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime

from services.accounts.clients.tokendealer import Tokendealer
from services.chassis.problems import NotFound


@dataclass(frozen=True, slots=True)
class EndOtherSessions:
    """Ends sign-ins on our own pages and API; what apps were let do stays, and is seen at /oauth/grants."""

    tokendealer: Tokendealer

    async def __call__(self, sub: str, *, began_before: datetime, keep: str | None) -> None:
        """Do it; safe to repeat."""
        for family in await self.tokendealer.families(sub):
            if family.in_person and family.created_at < began_before and family.id != keep:
                with contextlib.suppress(NotFound):  # it has ended by itself
                    await self.tokendealer.end(sub, family.id)
