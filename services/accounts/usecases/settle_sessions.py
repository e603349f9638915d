"""After what changes an account: what its sessions of before may do, or that they end.

A session of the trial day may do all that its owner may, from its next refresh. Where the password was replaced, whoever
signed in with the one before may be somebody else: what was begun before that ends, and what was begun since stays. Who is
disabled is shut out: everything ends, and nothing begins.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.accounts import Account, scopes_of
from services.accounts.store.accounts import Accounts
from services.chassis.problems import NotFound


@dataclass(frozen=True, slots=True)
class SettleSessions:
    """Brings the sessions of a person in line with the account."""

    accounts: Accounts
    tokendealer: Tokendealer
    clock: Callable[[], datetime]

    async def __call__(self, sub: str, changed_at: datetime, password_replaced: bool, keep: str | None) -> None:
        """Do it; safe to repeat. `keep` is the session in which the password was replaced."""
        if password_replaced:
            for family in await self.tokendealer.families(sub):
                if family.created_at < changed_at and family.id != keep:
                    await self._end(sub, family.id)
            return
        account = await self.accounts.find(sub)
        if account is not None:
            await self.settle(account)

    async def settle(self, account: Account) -> None:
        """Tell the tokendealer how this account stands. It heeds the newest version, in whatever order it hears of them."""
        scopes = scopes_of(account, self.clock())
        if scopes or account.disabled:
            await self.tokendealer.settle(
                account.id, account.version, scopes or (), barred=account.disabled, until=account.trial_ends
            )

    async def _end(self, sub: str, family: str) -> None:
        with contextlib.suppress(NotFound):  # it has ended by itself
            await self.tokendealer.end(sub, family)
