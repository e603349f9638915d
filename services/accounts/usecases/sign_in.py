"""Sign in: recognise somebody by e-mail and password, and have the tokendealer begin a session.

Whether the address has an account shows neither in the answer nor in the time it takes. Who was wrong too often has to
wait, by account and by address. That is looked at before the password, and again after it: of a hundred guesses at once
no more are answered than of a hundred in a row, and a right one among them opens nothing once the others were too many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.accounts.domain.accounts import Account, scopes_of
from services.accounts.domain.attempts import Limits, TooManyAttempts, network_of
from services.accounts.domain.sessions import Tokens
from services.accounts.hashing import Hashing
from services.accounts.store.accounts import Accounts
from services.accounts.store.attempts import Attempts, Count
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


@dataclass(frozen=True, slots=True)
class Counter:
    """One of the counters of failed sign-ins."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """Raises `InvalidCredentials`, `NotActivated`, `TooManyAttempts`; `Unavailable` where too many sign in at once."""

    accounts: Accounts
    hashing: Hashing
    attempts: Attempts
    limits: Limits
    hash_name: Callable[[str], str]
    issuer: Issuer
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, email: str, password: str, *, client_ip: str, label: str) -> Tokens:
        """The tokens of a new session; `label` is how its owner will know it again."""
        try:
            account = await self._recognise(parse_address(email).key, password, network_of(client_ip))
            scopes = self._scopes_of(account)
        except (InvalidCredentials, NotActivated, TooManyAttempts) as refusal:
            self.log.warning("session.refused", reason=refusal.kind, client_ip=client_ip)
            raise
        context.about(account.id)
        tokens = await self.issuer.issue(account.id, scopes, label)
        self.log.info("session.opened")
        return tokens

    async def _recognise(self, email_key: str, password: str, network: str) -> Account:
        of_account = Counter(self.hash_name(f"account:{email_key}"), self.limits.account)
        of_network = Counter(self.hash_name(f"address:{network}"), self.limits.address)
        counters = (of_account, of_network)
        await self._check(counters)
        account = await self.accounts.by_email(email_key)
        matches = await self.hashing.matches(account.password if account else None, password)
        if account is None or not matches:
            await self._fail(counters)
            raise InvalidCredentials
        await self._check(counters)
        await self.attempts.forget(of_account.name)
        await self._renew_hash(account, password)
        return account

    def _scopes_of(self, account: Account) -> tuple[str, ...]:
        scopes = scopes_of(account, self.clock())
        if scopes is None:
            raise NotActivated
        return scopes

    async def _check(self, counters: Sequence[Counter]) -> None:
        """Raise `TooManyAttempts` where all of a counter's failures are used up."""
        for counter in counters:
            count = await self.attempts.read(counter.name, self.clock())
            if count is not None and count.number >= counter.limit:
                raise self._wait_for(count)

    async def _fail(self, counters: Sequence[Counter]) -> None:
        """Count a failure; raise `TooManyAttempts` where it is one too many to be answered."""
        counts = [
            (counter, await self.attempts.count(counter.name, self.limits.window, self.clock())) for counter in counters
        ]
        for counter, count in counts:
            if count.number > counter.limit:
                raise self._wait_for(count)

    def _wait_for(self, count: Count) -> TooManyAttempts:
        wait_s = (count.ends_at - self.clock()).total_seconds()
        return TooManyAttempts(retry_after_s=max(1, math.ceil(wait_s)))

    async def _renew_hash(self, account: Account, password: str) -> None:
        if self.hashing.is_outdated(account.password):
            await self.accounts.replace_password(account.id, account.password, await self.hashing.hash(password))
