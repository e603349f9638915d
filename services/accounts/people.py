"""The part of accounts in the people protocol: the account itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

import msgspec

from services.accounts.handlers.own_account import AccountView
from services.accounts.store.accounts import Accounts
from services.chassis.holdings import Holding
from services.chassis.people import Belonging, Erased


class TakenAccount(AccountView, frozen=True, kw_only=True):
    """The account, and what its owner told about themselves; nothing that could be signed in with."""

    created_at: datetime
    activated_at: datetime | None


class AccountsOfPeople:
    """What accounts holds of a person."""

    holdings: ClassVar[tuple[Holding, ...]] = (
        Holding("account.json", "The account, with what its owner told about themselves", TakenAccount),
    )

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """The account."""
        account = await self._accounts.find(sub)
        if account is not None:
            shown = msgspec.structs.asdict(AccountView.of(account))
            taken = TakenAccount(**shown, created_at=account.created_at, activated_at=account.activated_at)
            yield Belonging("account.json", msgspec.json.encode(taken))

    async def erase(self, sub: str) -> Erased:
        """Remove it."""
        await self._accounts.erase(sub)
        return Erased()
