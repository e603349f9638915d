"""Passwords, hashed: Argon2id (RFC 9106) in threads of their own.

A hash takes some 20 ms of a core and 19 MiB: on the loop it would hold up everybody, and without a bound a flood of
sign-ins would take all memory. Where the row is too long we say so (503) instead of letting it grow. A name that nobody
has costs the same as one that somebody has: it is checked against a hash of nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.accounts.domain.passwords import normalise
from services.chassis.problems import Unavailable

# The least that OWASP's Password Storage Cheat Sheet asks of Argon2id: 19 MiB, two passes, one lane.
OWASP = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
LOWEST_PRIORITY = 19
LONGEST_ROW = 256  # some five seconds on two cores

P = ParamSpec("P")
T = TypeVar("T")


def _step_back() -> None:
    """Let this thread go behind the loop, and whatever else wants a core: a sign-in can wait, everything else should not.

    On Linux a thread has a priority of its own; one can always lower it.
    """
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


class Hashing:
    """Hashes and checks passwords, `threads` at a time, with so many more waiting at most."""

    def __init__(self, hasher: PasswordHasher = OWASP, *, threads: int, longest_row: int = LONGEST_ROW) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_step_back)
        self._room = threads + longest_row
        self._nobodys = hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises `Unavailable` where too many wait."""
        return await self._run(self._hasher.hash, normalise(password))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether this is the password; without a hash, never, after the same work. Raises `Unavailable`."""
        return await self._run(self._verify, kept or self._nobodys, normalise(password)) and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    async def close(self) -> None:
        """Let the threads end."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._room <= 0:
            raise Unavailable("Too many people are signing in at this moment", retry_after_s=1)
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))
        finally:
            self._room += 1
