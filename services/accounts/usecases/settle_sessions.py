"""After an activation or a change of roles: what a session of before it may do, or that it ends.

A session of the trial day may do all that its owner may, from its next refresh. Where the activation replaced the
password, whoever signed in before it is somebody else, and all of their sessions end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.accounts import scopes_of
from services.accounts.store.accounts import Accounts


@dataclass(frozen=True, slots=True)
class SettleSessions:
    """Brings the sessions of a person in line with the account."""

    accounts: Accounts
    tokendealer: Tokendealer
    clock: Callable[[], datetime]

    async def __call__(self, sub: str, password_replaced: bool) -> None:
        """Do it; safe to repeat."""
        if password_replaced:
            await self.tokendealer.end_all(sub)
            return
        account = await self.accounts.find(sub)
        scopes = scopes_of(account, self.clock()) if account else None
        if scopes:
            await self.tokendealer.allow(sub, scopes)
