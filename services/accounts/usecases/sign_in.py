"""Sign in: recognise somebody by e-mail and password, and have the tokendealer begin a session.

Whether the address has an account shows neither in the answer nor in the time it takes. Who was wrong too often has to
wait (see `back_off`). A password that is replaced while somebody signs in with it opens nothing: what was begun
meanwhile is ended again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Protocol

from services.accounts.domain.accounts import Account, scopes_of
from services.accounts.domain.attempts import TooManyAttempts
from services.accounts.domain.second_factor import Proof
from services.accounts.domain.sessions import Tokens
from services.accounts.hashing import Hashing
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.back_off import BackOff, Guess
from services.accounts.usecases.meet_device import MeetDevice
from services.accounts.usecases.second_factor import ProveSecondFactor
from services.chassis import context
from services.chassis.addresses import parse_address
from services.chassis.logs import Logger
from services.chassis.problems import Unauthenticated


class InvalidCredentials(Unauthenticated):
    """No account has this e-mail, this password and this code; which of them is wrong is not told."""

    kind = "invalid-credentials"
    title = "The e-mail address or the password is wrong"


class NotActivated(Unauthenticated):
    """The password is right, but the address was not confirmed within a day of registering."""

    kind = "not-activated"
    title = "Confirm your e-mail address first, with the link that was mailed to you"


class SecondFactorRequired(Unauthenticated):
    """The password is right; signing in to this account takes a code, too."""

    kind = "second-factor-required"
    title = "Send the code that your authenticator app shows, or a recovery code"


class AccountDisabled(Unauthenticated):
    """The password is right, but an administrator has shut this account's owner out."""

    kind = "account-disabled"
    title = "This account is disabled; ask whoever looks after this Runnerly"


class Issuer(Protocol):
    """Whoever makes tokens for people."""

    async def issue(self, sub: str, scopes: Sequence[str], label: str, until: datetime | None) -> Tokens:
        """Begin a sign-in, which ends at `until` where that is given."""

    async def revoke(self, refresh_token: str) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Raises `InvalidCredentials`, `SecondFactorRequired`, `NotActivated`, `TooManyAttempts`.

    And `Unavailable` where too many sign in at once.
    """

    accounts: Accounts
    hashing: Hashing
    back_off: BackOff
    prove_second_factor: ProveSecondFactor
    meet_device: MeetDevice
    issuer: Issuer
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, email: str, password: str, otp: str | None, *, client_ip: str, label: str) -> Tokens:
        """The tokens of a new session; `label` is how its owner will know it again."""
        began = self.clock()
        try:
            account = await self._recognise(parse_address(email).key, password, otp, client_ip)
            scopes = self._scopes_of(account)
        except (InvalidCredentials, NotActivated, AccountDisabled, TooManyAttempts) as refusal:
            self.log.warning("session.refused", reason=refusal.kind, client_ip=client_ip)
            raise
        context.about(account.id)
        await self.meet_device(account, label)
        tokens = await self.issuer.issue(account.id, scopes, label, account.trial_ends)
        await self._see_that_it_still_holds(account, tokens, began)
        await self.accounts.saw(account.id, began)
        self.log.info("session.opened")
        return tokens

    async def _recognise(self, email_key: str, password: str, otp: str | None, client_ip: str) -> Account:
        guess = self.back_off.guess(email_key, client_ip)
        await self.back_off.check(guess)
        account = await self.accounts.by_email(email_key)
        matches = await self.hashing.matches(account.password if account else None, password)
        if account is None or not matches:
            await self._refuse(guess, otp)
        proof = await self.prove_second_factor(account, otp)
        if proof is Proof.WRONG:
            await self._refuse(guess, otp, code=True)
        await self.back_off.check(guess)
        if proof is Proof.MISSING:
            raise SecondFactorRequired
        await self.back_off.forgive(email_key)
        if proof is Proof.RIGHT:
            await self.back_off.forgive_codes(email_key)
        await self._renew_hash(account, password)
        return account

    async def _refuse(self, guess: Guess, otp: str | None, *, code: bool = False) -> NoReturn:
        """Count it and refuse it; nobody is told a wrong code from a wrong password."""
        await self.back_off.fail(guess, code=code)
        raise InvalidCredentials("" if otp is None else "The e-mail address, the password or the code is wrong")

    def _scopes_of(self, account: Account) -> tuple[str, ...]:
        if account.disabled:
            raise AccountDisabled
        scopes = scopes_of(account, self.clock())
        if scopes is None:
            raise NotActivated
        return scopes

    async def _see_that_it_still_holds(self, account: Account, tokens: Tokens, began: datetime) -> None:
        """Raise `InvalidCredentials` where what it takes was changed meanwhile: the news may have passed these tokens.

        The same where an administrator has taken away what they are good for.
        """
        now = await self.accounts.find(account.id)
        holds = now is not None and now.password_set_at == account.password_set_at and now.may_all_that(account)
        if not holds or await self.prove_second_factor.is_on_since(account.id, began):
            await self.issuer.revoke(tokens.refresh_token)
            raise InvalidCredentials

    async def _renew_hash(self, account: Account, password: str) -> None:
        if self.hashing.is_outdated(account.password):
            await self.accounts.replace_password(account.id, account.password, await self.hashing.hash(password))
