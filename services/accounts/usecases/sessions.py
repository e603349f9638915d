"""Look after one's sign-ins: renew one, see them all, end one."""

from __future__ import annotations

from dataclasses import dataclass

from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.sessions import Family, Tokens
from services.chassis.problems import NotFound


@dataclass(frozen=True, slots=True)
class Sessions:
    """A person's sign-ins, which the tokendealer keeps."""

    tokendealer: Tokendealer

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next tokens. Raises `SessionEnded`, also for a token that was used before: that ends its whole family."""
        return await self.tokendealer.refresh(refresh_token)

    async def all_of(self, sub: str) -> list[Family]:
        """All of a person, newest first."""
        return await self.tokendealer.families(sub)

    async def end(self, sub: str, session_id: str) -> None:
        """End one. Raises `NotFound` where this person has none of this id."""
        await self.tokendealer.end(sub, session_id)

    async def end_own(self, sub: str, session_id: str | None) -> None:
        """End the one that asks; one that has ended already is no error."""
        if session_id is not None:
            try:
                await self.tokendealer.end(sub, session_id)
            except NotFound:
                return

    async def end_by_token(self, refresh_token: str) -> None:
        """End the one that a refresh token belongs to."""
        await self.tokendealer.revoke(refresh_token)
