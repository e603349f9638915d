"""The part of accounts in the people protocol: the account itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from services.accounts.handlers.own_account import AccountView
from services.accounts.store.accounts import Accounts
from services.chassis.people import Belonging


class AccountsOfPeople:
    """What accounts holds of a person."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """The account, without what could be signed in with."""
        account = await self._accounts.find(sub)
        if account is not None:
            yield Belonging("account.json", msgspec.json.encode(AccountView.of(account)))

    async def erase(self, sub: str) -> None:
        """Remove it."""
        await self._accounts.erase(sub)
