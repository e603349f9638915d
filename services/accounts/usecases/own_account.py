"""Read one's own account, and change what one told about oneself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from services.accounts import events
from services.accounts.domain.accounts import (
    Account,
    Locale,
    MaxHeartRate,
    Name,
    RestHeartRate,
    Sex,
    Speed,
    Timezone,
    Units,
    Weight,
    check_profile,
)
from services.accounts.store.accounts import Accounts
from services.chassis.problems import NotFound


class ProfileChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to change; what is not named stays, and null takes back what can be unknown."""

    name: Name | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
    units: Units | UnsetType = UNSET
    sex: Sex | UnsetType | None = UNSET
    born_on: date | UnsetType | None = UNSET
    weight_kg: Weight | UnsetType | None = UNSET
    max_hr_bpm: MaxHeartRate | UnsetType | None = UNSET
    rest_hr_bpm: RestHeartRate | UnsetType | None = UNSET
    threshold_speed_mps: Speed | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """Raises `NotFound` for a person who is not here any more."""

    accounts: Accounts

    async def __call__(self, sub: str) -> Account:
        """The account."""
        account = await self.accounts.find(sub)
        if account is None:
            raise NotFound
        return account


@dataclass(frozen=True, slots=True)
class ChangeProfile:
    """Raises `Invalid` for what can't be, `Stale` where the account is not of the expected version, `NotFound`."""

    accounts: Accounts
    clock: Callable[[], datetime]

    async def __call__(self, sub: str, change: ProfileChange, expected: int | None) -> Account:
        """The account, changed."""
        named = {name: value for name, value in asdict(change).items() if value is not UNSET}

        def changed(account: Account) -> Account:
            profile = check_profile(replace(account.profile, **named), self.clock().date())
            return replace(account, profile=profile)

        return await self.accounts.change(
            sub, changed, lambda _, after: [events.profile_changed(after)], expected=expected
        )
