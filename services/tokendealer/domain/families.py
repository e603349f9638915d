"""Families of refresh tokens: one a sign-in, of which one token at a time is good.

A refresh token is not kept, not even hashed. It names its family and its generation, and ends in a keyed hash over both
and the family's own seed: to make one takes the key-encryption key and the database, and to tell an earlier token of a
family (which was stolen, or used by mistake) from a mere guess (which must not end anybody's session) takes no record.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from msgspec import Struct

TOKEN = re.compile(r"(?P<family>[A-Za-z0-9_-]{16,64})\.(?P<generation>[1-9][0-9]{0,9})\.(?P<tag>[0-9a-f]{64})")
PURPOSE = "refresh-token"
# The client through which people sign in on our own pages and with our own API.
OWN_CLIENT = "runnerly"

KeyedHash = Callable[[str, str], str]


class Family(Struct, frozen=True):
    """One sign-in of a person through one client. `generation` is that of the refresh token that is good now.

    `until` is when it ends however much it is used, where its person may do nothing more after that.
    """

    id: str
    sub: str
    client_id: str
    scopes: tuple[str, ...]
    label: str
    generation: int
    seed: bytes
    created_at: datetime
    rotated_at: datetime
    expires_at: datetime
    until: datetime | None = None

    def token(self, keyed_hash: KeyedHash) -> str:
        """Its refresh token of now."""
        return f"{self.id}.{self.generation}.{self._tag(self.generation, keyed_hash)}"

    def issued(self, token: RefreshToken, keyed_hash: KeyedHash) -> bool:
        """Whether we made this token, lately or long ago."""
        return token.generation <= self.generation and hmac.compare_digest(
            token.tag, self._tag(token.generation, keyed_hash)
        )

    def _tag(self, generation: int, keyed_hash: KeyedHash) -> str:
        return keyed_hash(PURPOSE, f"{self.id}.{generation}.{self.seed.hex()}")


class Standing(Struct, frozen=True):
    """What a person may do, and `until` when, by a version of their account. Who is `barred` has no sign-in, and gets none."""

    sub: str
    version: int
    scopes: tuple[str, ...]
    barred: bool
    until: datetime | None = None


class RefreshToken(Struct, frozen=True):
    """A refresh token taken apart; nothing is known yet of whether it is ours."""

    family: str
    generation: int
    tag: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The parts of what looks like one of ours, or None."""
        match = TOKEN.fullmatch(text)
        return cls(match["family"], int(match["generation"]), match["tag"]) if match else None


class Lifetimes(Struct, frozen=True):
    """How long things are good for. A family ends after `idle` without use, and after `longest` in any case."""

    access: timedelta
    idle: timedelta
    longest: timedelta

    def family_ends(self, created_at: datetime, now: datetime, until: datetime | None = None) -> datetime:
        """When a family that is used now ends."""
        return min(now + self.idle, created_at + self.longest, *(() if until is None else (until,)))
