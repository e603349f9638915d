"""Sign in: recognise somebody by e-mail and password, and have the tokendealer begin a session.

Whether the address has an account shows neither in the answer nor in the time it takes. Who was wrong too often has to
wait (see `back_off`). A password that is replaced while somebody signs in with it opens nothing: what was begun
meanwhile is ended again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.accounts.domain.accounts import Account, scopes_of
from services.accounts.domain.attempts import TooManyAttempts
from services.accounts.domain.sessions import Tokens
from services.accounts.hashing import Hashing
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.back_off import BackOff
from services.chassis import context
from services.chassis.addresses import parse_address
from services.chassis.logs import Logger
from services.chassis.problems import Unauthenticated


class InvalidCredentials(Unauthenticated):
    """No account has this e-mail and this password; which of the two is wrong is not told."""

    kind = "invalid-credentials"
    title = "The e-mail address or the password is wrong"


class NotActivated(Unauthenticated):
    """The password is right, but the address was not confirmed within a day of registering."""

    kind = "not-activated"
    title = "Confirm your e-mail address first, with the link that was mailed to you"


class Issuer(Protocol):
    """Whoever makes tokens for people."""

    async def issue(self, sub: str, scopes: Sequence[str], label: str) -> Tokens:
        """Begin a sign-in."""

    async def revoke(self, refresh_token: str) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Raises `InvalidCredentials`, `NotActivated`, `TooManyAttempts`; `Unavailable` where too many sign in at once."""

    accounts: Accounts
    hashing: Hashing
    back_off: BackOff
    issuer: Issuer
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, email: str, password: str, *, client_ip: str, label: str) -> Tokens:
        """The tokens of a new session; `label` is how its owner will know it again."""
        try:
            account = await self._recognise(parse_address(email).key, password, client_ip)
            scopes = self._scopes_of(account)
        except (InvalidCredentials, NotActivated, TooManyAttempts) as refusal:
            self.log.warning("session.refused", reason=refusal.kind, client_ip=client_ip)
            raise
        context.about(account.id)
        tokens = await self.issuer.issue(account.id, scopes, label)
        await self._see_that_it_still_holds(account, tokens)
        self.log.info("session.opened")
        return tokens

    async def _recognise(self, email_key: str, password: str, client_ip: str) -> Account:
        guess = self.back_off.guess(email_key, client_ip)
        await self.back_off.check(guess)
        account = await self.accounts.by_email(email_key)
        matches = await self.hashing.matches(account.password if account else None, password)
        if account is None or not matches:
            await self.back_off.fail(guess)
            raise InvalidCredentials
        await self.back_off.check(guess)
        await self.back_off.forgive(email_key)
        await self._renew_hash(account, password)
        return account

    def _scopes_of(self, account: Account) -> tuple[str, ...]:
        scopes = scopes_of(account, self.clock())
        if scopes is None:
            raise NotActivated
        return scopes

    async def _see_that_it_still_holds(self, account: Account, tokens: Tokens) -> None:
        """Raise `InvalidCredentials` where another password was set meanwhile: its news may have passed these tokens."""
        now = await self.accounts.find(account.id)
        if now is None or now.password_set_at != account.password_set_at:
            await self.issuer.revoke(tokens.refresh_token)
            raise InvalidCredentials

    async def _renew_hash(self, account: Account, password: str) -> None:
        if self.hashing.is_outdated(account.password):
            await self.accounts.replace_password(account.id, account.password, await self.hashing.hash(password))
