"""One's own account."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from services.accounts.domain.accounts import Account, Role, Sex, Units
from services.accounts.usecases import UseCases
from services.accounts.usecases.own_account import ProfileChange
from services.chassis.answers import Answer
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import NotFound, Stale


class AccountView(Struct, frozen=True):
    """An account, as its owner sees it."""

    id: str
    email: str
    name: str
    locale: str
    timezone: str
    units: Units
    sex: Sex | None
    born_on: date | None
    weight_kg: float | None
    max_hr_bpm: int | None
    rest_hr_bpm: int | None
    threshold_speed_mps: float | None
    roles: tuple[Role, ...]
    activated: bool

    @classmethod
    def of(cls, account: Account) -> AccountView:
        """The view of an account."""
        profile = account.profile
        return cls(
            id=account.id,
            email=account.email,
            name=profile.name,
            locale=profile.locale,
            timezone=profile.timezone,
            units=profile.units,
            sex=profile.sex,
            born_on=profile.born_on,
            weight_kg=profile.weight_kg,
            max_hr_bpm=profile.max_hr_bpm,
            rest_hr_bpm=profile.rest_hr_bpm,
            threshold_speed_mps=profile.threshold_speed_mps,
            roles=account.roles,
            activated=account.activated,
        )


class OwnAccount(Endpoint[UseCases]):
    """The account of who asks."""

    @operation("readOwnAccount", scope="account", problems=(NotFound,))
    async def get(self) -> Answer[AccountView]:
        """Read one's own account."""
        return shown(await self.uses.read_account(self.caller.sub))

    @operation("changeOwnProfile", scope="account", problems=(Stale, NotFound))
    async def patch(self, body: ProfileChange) -> Answer[AccountView]:
        """Change what one told about oneself."""
        return shown(await self.uses.change_profile(self.caller.sub, body, self.expected_version))


def shown(account: Account) -> Answer[AccountView]:
    """The answer that shows an account."""
    return Answer(AccountView.of(account), version=account.version)


ROUTES = (Route("/api/v1/accounts/me", OwnAccount),)
