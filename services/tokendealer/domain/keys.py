"""Signing keys over time: which one signs, and which ones the world is told of.

A key is published a while before it signs, so that everybody who verifies has it by then, and until the last token that
it signed has expired. All of that follows from when each key starts to sign; nothing has to happen at those moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

# Verifiers fetch the keys every five minutes, and caches on the way keep them for five.
PUBLISHED_AHEAD = timedelta(minutes=15)
# The longest life of a token is five minutes; the rest is for clocks.
VERIFIES_FOR = timedelta(minutes=15)


class SigningKey(Struct, frozen=True):
    """One key pair. `generation` counts them from 1; `sealed` is the private half, which only the KEK opens.

    `n` and `e` are the public half as a JWK has it, `certificate` a self-signed X.509 one over it (base64 of its DER).
    """

    generation: int
    kid: str
    created_at: datetime
    signs_from: datetime
    n: str
    e: str
    certificate: str
    thumbprint: str
    sealed: bytes
    revoked_at: datetime | None = None


def bound_to(kid: str) -> str:
    """What the private half of a key is sealed for."""
    return f"signing-key/{kid}"


def signer(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """The key that signs now: the newest of those whose time has come."""
    ready = [key for key in keys if key.revoked_at is None and key.signs_from <= now]
    return max(ready, key=lambda key: key.generation, default=None)


def published(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    """The keys that tokens may be verified with: the signing one, those to come, those whose tokens may live still."""
    return [key for key in keys if key.revoked_at is None and not is_past(keys, key, now)]


def is_past(keys: Sequence[SigningKey], key: SigningKey, now: datetime) -> bool:
    """Whether every token that this key signed has expired: a later one signs, for long enough."""
    later = [other.signs_from for other in keys if other.generation > key.generation and other.revoked_at is None]
    return bool(later) and min(later) + VERIFIES_FOR <= now
