"""Ask for the password again, before what only the owner of an account may do, not just somebody at their screen."""

from __future__ import annotations

from dataclasses import dataclass

from services.accounts.domain.accounts import Account
from services.accounts.hashing import Hashing
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.back_off import BackOff
from services.chassis.addresses import parse_address
from services.chassis.problems import FieldError, Invalid, NotFound


class WrongPassword(Invalid):
    """What was typed as one's own password is not that."""

    kind = "wrong-password"
    title = "This is not your password"


@dataclass(frozen=True, slots=True)
class ConfirmPassword:
    """Raises `WrongPassword`, which counts as a failed sign-in, `TooManyAttempts`, and `NotFound`."""

    accounts: Accounts
    hashing: Hashing
    back_off: BackOff

    async def __call__(self, sub: str, password: str, *, client_ip: str, field: str = "password") -> Account:
        """The account, whose owner has just proved to be that; `field` is where the password was typed."""
        account = await self.accounts.find(sub)
        if account is None:
            raise NotFound
        guess = self.back_off.guess(parse_address(account.email).key, client_ip)
        await self.back_off.check(guess)
        if not await self.hashing.matches(account.password, password):
            await self.back_off.fail(guess)
            raise WrongPassword(errors=(FieldError(field, WrongPassword.title),))
        await self.back_off.check(guess)
        return account
