"""Look after one's sign-ins: renew one, see them all, end one, or all but one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.devices import Devices
from services.accounts.domain.sessions import Family, Session, Tokens
from services.accounts.store.accounts import Accounts
from services.chassis.problems import NotFound


@dataclass(frozen=True, slots=True)
class Sessions:
    """A person's sign-ins, which the tokendealer keeps."""

    tokendealer: Tokendealer
    accounts: Accounts
    devices: Devices
    clock: Callable[[], datetime]

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next tokens. Raises `SessionEnded`, also for a token that was used before: that ends its whole family."""
        tokens = await self.tokendealer.refresh(refresh_token)
        await self.accounts.saw(tokens.sub, self.clock())
        return tokens

    async def all_of(self, sub: str, current: str | None) -> list[Session]:
        """All of a person, newest first; the one that asks is seen now. What apps go on with is not among them."""
        return [
            Session(
                family.id,
                family.created_at,
                self.clock() if family.id == current else family.last_used_at,
                family.label,
                self.devices.name(family.label),
                family.id == current,
            )
            for family in await self._own(sub)
        ]

    async def end(self, sub: str, session_id: str) -> None:
        """End one. Raises `NotFound` where this person has none of this id."""
        await self.tokendealer.end(sub, session_id)

    async def end_others(self, sub: str, keep: str | None, began_before: datetime | None = None) -> None:
        """End all but one, or all of them that began before a moment; safe to repeat. What apps were let do stays."""
        for family in await self._own(sub):
            if family.id != keep and (began_before is None or family.created_at < began_before):
                await self._end(sub, family.id)

    async def end_own(self, sub: str, session_id: str | None) -> None:
        """End the one that asks; one that has ended already is no error."""
        if session_id is not None:
            await self._end(sub, session_id)

    async def end_by_token(self, refresh_token: str) -> None:
        """End the one that a refresh token belongs to."""
        await self.tokendealer.revoke(refresh_token)

    async def _own(self, sub: str) -> list[Family]:
        return [family for family in await self.tokendealer.families(sub) if family.in_person]

    async def _end(self, sub: str, session_id: str) -> None:
        with contextlib.suppress(NotFound):  # it has ended by itself
            await self.tokendealer.end(sub, session_id)
