"""The second factor of one's own account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from services.accounts.domain.attempts import TooManyAttempts
from services.accounts.domain.second_factor import SecondFactor, SecondFactorActive, SecondFactorNotSetUp
from services.accounts.handlers.accounts import Password
from services.accounts.usecases import UseCases
from services.accounts.usecases.second_factor import Setup
from services.chassis.answers import Answer
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import NotFound

NOT_STORED = {"Cache-Control": "no-store"}
Otp = Annotated[str, Meta(min_length=1, max_length=64)]


class SecondFactorView(Struct, frozen=True):
    """Whether signing in takes a code, since when, and how many recovery codes are left."""

    active: bool
    since: datetime | None
    recovery_codes_left: int

    @classmethod
    def of(cls, factor: SecondFactor | None) -> SecondFactorView:
        """The view of an active one, or of none."""
        if factor is None:
            return cls(active=False, since=None, recovery_codes_left=0)
        return cls(active=True, since=factor.confirmed_at, recovery_codes_left=len(factor.recovery_codes))


class Beginning(Struct, frozen=True, forbid_unknown_fields=True):
    """The password, which is needed when one signed in more than a quarter of an hour ago."""

    password: Password | None = None


class Confirmation(Struct, frozen=True, forbid_unknown_fields=True):
    """The code that the app shows now."""

    otp: Otp


class PasswordAgain(Struct, frozen=True, forbid_unknown_fields=True):
    """The password of the account."""

    password: Password


class RecoveryCodes(Struct, frozen=True):
    """Codes to sign in with when the app is lost, each of them once. They are never shown again."""

    recovery_codes: tuple[str, ...]


class OwnSecondFactor(Endpoint[UseCases]):
    """The one of who asks."""

    @operation("readSecondFactor", scope="account")
    async def get(self) -> SecondFactorView:
        """See whether it is on."""
        return SecondFactorView.of(await self.uses.second_factor.read(self.caller.sub))

    @operation("setUpSecondFactor", scope="account", problems=(NotFound, SecondFactorActive, TooManyAttempts))
    async def post(self, body: Beginning | None) -> Answer[Setup]:
        """Begin to set it up: a secret for an authenticator app. It is on once a code of the app confirms it."""
        password = body.password if body else None
        who = self.caller
        setup = await self.uses.second_factor.set_up(who.sub, password, session=who.session, client_ip=self.client_ip)
        return Answer(setup, headers=NOT_STORED)


class Confirmed(Endpoint[UseCases]):
    """Its confirmation."""

    @operation("confirmSecondFactor", scope="account", problems=(NotFound, SecondFactorActive, SecondFactorNotSetUp))
    async def post(self, body: Confirmation) -> Answer[RecoveryCodes]:
        """Turn it on with a code that the app shows. All other sessions end; the recovery codes are shown this once."""
        codes = await self.uses.second_factor.confirm(self.caller.sub, body.otp, session=self.caller.session)
        return Answer(RecoveryCodes(codes), headers=NOT_STORED)


class Removed(Endpoint[UseCases]):
    """Its removal."""

    @operation("removeSecondFactor", scope="account", problems=(NotFound, TooManyAttempts))
    async def post(self, body: PasswordAgain) -> None:
        """Turn it off. All other sessions end."""
        who = self.caller
        await self.uses.second_factor.remove(who.sub, body.password, session=who.session, client_ip=self.client_ip)


class NewRecoveryCodes(Endpoint[UseCases]):
    """Its recovery codes."""

    @operation("renewRecoveryCodes", scope="account", problems=(NotFound, SecondFactorNotSetUp, TooManyAttempts))
    async def post(self, body: PasswordAgain) -> Answer[RecoveryCodes]:
        """Get new recovery codes; those of before work no more."""
        codes = await self.uses.second_factor.renew_recovery_codes(
            self.caller.sub, body.password, client_ip=self.client_ip
        )
        return Answer(RecoveryCodes(codes), headers=NOT_STORED)


ROUTES = (
    Route("/api/v1/accounts/me/second-factor", OwnSecondFactor),
    Route("/api/v1/accounts/me/second-factor/confirm", Confirmed),
    Route("/api/v1/accounts/me/second-factor/remove", Removed),
    Route("/api/v1/accounts/me/second-factor/recovery-codes", NewRecoveryCodes),
)
