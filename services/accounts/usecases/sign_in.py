"""Sign in: recognise somebody by e-mail and password, and have the tokendealer begin a session.

Whether the address has an account shows neither in the answer nor in the time it takes. Who is wrong too often has to
wait, by account and by address; both counters are taken from before the password is looked at, so that a burst of
guesses gets no more of them than a row of guesses does.
"""

from __future__ import annotations

import asyncio
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
from services.accounts.store.attempts import Attempts, Taken
from services.chassis import context
from services.chassis.addresses import parse_address
from services.chassis.logs import Logger
from services.chassis.problems import Unauthenticated

BUSY_WAIT_S, BUSY_LOOK_S = 5.0, 0.05


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
    """One of the counters that a sign-in takes from."""

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
        email_key = parse_address(email).key
        account_counter = Counter(self.hash_name(f"account:{email_key}"), self.limits.account)
        address_counter = Counter(self.hash_name(f"address:{network_of(client_ip)}"), self.limits.address)
        await self._take(address_counter, client_ip)
        try:
            await self._take(account_counter, client_ip)
        except TooManyAttempts:
            await self.attempts.fail(address_counter.name)
            raise
        account = await self._recognise(email_key, password, (account_counter, address_counter))
        if account is None:
            self.log.warning("session.refused", reason="invalid-credentials", client_ip=client_ip)
            raise InvalidCredentials
        scopes = scopes_of(account, self.clock())
        if scopes is None:
            self.log.warning("session.refused", reason="not-activated", client_ip=client_ip)
            raise NotActivated
        tokens = await self.issuer.issue(account.id, scopes, label)
        self.log.info("session.opened")
        return tokens

    async def _recognise(self, email_key: str, password: str, counters: tuple[Counter, Counter]) -> Account | None:
        of_account, of_address = counters
        try:
            account = await self.accounts.by_email(email_key)
            matches = await self.hashing.matches(account.password if account else None, password)
        except BaseException:
            await self._give_back(counters)
            raise
        if account is None or not matches:
            await asyncio.gather(*(self.attempts.fail(counter.name) for counter in counters))
            return None
        await asyncio.gather(self.attempts.succeed(of_account.name), self.attempts.give_back(of_address.name))
        await self._renew_hash(account, password)
        return account

    async def _take(self, counter: Counter, client_ip: str) -> None:
        """Take an attempt; where all that are left are being made just now, wait for what becomes of them."""
        loop = asyncio.get_running_loop()
        until = loop.time() + context.remaining_s(BUSY_WAIT_S)
        while True:
            now = self.clock()
            answer = await self.attempts.take(counter.name, counter.limit, self.limits.window, now)
            if answer.taken is Taken.YES:
                return
            if answer.taken is Taken.NO or loop.time() > until:
                self.log.warning("session.refused", reason="too-many-attempts", client_ip=client_ip)
                wait_s = (answer.ends_at - now).total_seconds() if answer.taken is Taken.NO else 1
                raise TooManyAttempts(retry_after_s=max(1, math.ceil(wait_s)))
            await asyncio.sleep(BUSY_LOOK_S)

    async def _give_back(self, counters: Sequence[Counter]) -> None:
        """Nothing was learned of the password: it is no failure."""
        await asyncio.shield(asyncio.gather(*(self.attempts.give_back(counter.name) for counter in counters)))

    async def _renew_hash(self, account: Account, password: str) -> None:
        if self.hashing.is_outdated(account.password):
            await self.accounts.replace_password(account.id, account.password, await self.hashing.hash(password))
