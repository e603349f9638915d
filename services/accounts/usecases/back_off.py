"""Slow down who guesses: failures are counted by account and by address, and too many of either make everybody wait.

The counters are looked at before a guess, and again after it: of a hundred guesses at once no more are answered than of
a hundred in a row, and a right one among them opens nothing once the others were too many.

Wrong codes of a second factor are counted once more by themselves: who reads somebody's mail can have the other failures
forgotten, by choosing a new password as often as they like, and it is them whom the second factor is to stop.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from services.accounts.domain.attempts import Limits, TooManyAttempts, network_of
from services.accounts.store.attempts import Attempts, Count


class Counter(Struct, frozen=True):
    """One of the counters of failures."""

    name: str
    limit: int


class Guess(Struct, frozen=True):
    """Somebody who says that an account is theirs: by what they are counted."""

    account: Counter
    address: Counter
    code: Counter
    email_key: str


@dataclass(frozen=True, slots=True)
class BackOff:
    """Counts failures. `hash_name` makes the keyed hash that a counter is known by.

    `tell_locked` is called with the failure that locks an account, whether there is one of this address or not; not for wrong
    codes of a second factor: that lock no mail can end, as who sends codes knows the password.
    """

    attempts: Attempts
    limits: Limits
    hash_name: Callable[[str], str]
    clock: Callable[[], datetime]
    tell_locked: Callable[[str], Awaitable[None]]

    def guess(self, email_key: str, client_ip: str) -> Guess:
        """Somebody at this address of the network tries the account of this e-mail address."""
        return Guess(
            Counter(self._account(email_key), self.limits.account),
            Counter(self.hash_name(f"address:{network_of(client_ip)}"), self.limits.address),
            Counter(self._code(email_key), self.limits.account),
            email_key,
        )

    async def check(self, guess: Guess) -> None:
        """Raise `TooManyAttempts` where all of a counter's failures are used up."""
        counters = (guess.account, guess.address, guess.code)
        counts = await self.attempts.read([counter.name for counter in counters], self.clock())
        for counter in counters:
            count = counts.get(counter.name)
            if count is not None and count.number >= counter.limit:
                raise self._wait_for(count)

    async def fail(self, guess: Guess, *, code: bool = False) -> None:
        """Count a failure, of the second factor's `code` or before that; raise `TooManyAttempts` where it is one too many."""
        counters = (guess.account, guess.address, *((guess.code,) if code else ()))
        counts = [await self.attempts.count(counter.name, self.limits.window, self.clock()) for counter in counters]
        if counts[0].number == guess.account.limit and not (code and counts[-1].number >= guess.code.limit):
            await self.tell_locked(guess.email_key)
        for counter, count in zip(counters, counts, strict=True):
            if count.number > counter.limit:
                raise self._wait_for(count)

    async def forgive(self, email_key: str) -> None:
        """Forget the failures of an account, whose owner has just proved to be that."""
        await self.attempts.forget(self._account(email_key))

    async def forgive_codes(self, email_key: str) -> None:
        """Forget the wrong codes of an account, too: a right one has come."""
        await self.attempts.forget(self._code(email_key))

    def _account(self, email_key: str) -> str:
        return self.hash_name(f"account:{email_key}")

    def _code(self, email_key: str) -> str:
        return self.hash_name(f"code:{email_key}")

    def _wait_for(self, count: Count) -> TooManyAttempts:
        wait_s = (count.ends_at - self.clock()).total_seconds()
        return TooManyAttempts(retry_after_s=max(1, math.ceil(wait_s)))
