"""The part of accounts in the people protocol: the account itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

import msgspec

from services.accounts.handlers.own_account import AccountView
from services.accounts.handlers.second_factor import SecondFactorView
from services.accounts.store.accounts import Accounts
from services.accounts.store.exports import Exports
from services.accounts.store.known_devices import KnownDevices
from services.accounts.store.second_factors import SecondFactors
from services.chassis.holdings import Holding
from services.chassis.people import Belonging, Erased


class TakenAccount(AccountView, frozen=True, kw_only=True):
    """The account, and what its owner told about themselves; nothing that could be signed in with."""

    created_at: datetime
    activated_at: datetime | None
    disabled_at: datetime | None
    last_seen_at: datetime | None


class AccountsOfPeople:
    """What accounts holds of a person."""

    holdings: ClassVar[tuple[Holding, ...]] = (
        Holding("account.json", "The account, with what its owner told about themselves", TakenAccount),
        Holding("second-factor.json", "Whether signing in takes a code", SecondFactorView),
    )

    def __init__(self, accounts: Accounts, factors: SecondFactors, devices: KnownDevices, exports: Exports) -> None:
        self._accounts, self._factors, self._devices, self._exports = accounts, factors, devices, exports

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """The account, and whether it has a second factor."""
        account = await self._accounts.find(sub)
        if account is not None:
            shown = msgspec.structs.asdict(AccountView.of(account))
            taken = TakenAccount(
                **shown,
                created_at=account.created_at,
                activated_at=account.activated_at,
                disabled_at=account.disabled_at,
                last_seen_at=await self._accounts.last_seen(sub),
            )
            yield Belonging("account.json", msgspec.json.encode(taken))
        factor = await self._factors.find(sub)
        if factor is not None and factor.active:
            yield Belonging("second-factor.json", msgspec.json.encode(SecondFactorView.of(factor)))

    async def erase(self, sub: str) -> Erased:
        """Remove it, what it is entered with, and every export of it."""
        await self._factors.erase(sub)
        await self._devices.erase(sub)
        await self._exports.erase(sub)
        await self._accounts.erase(sub)
        return Erased()
