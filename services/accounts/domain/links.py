"""Secret links: what is mailed to an address, to be used once by whoever reads that mail.

The secret is 256 random bits and goes out in the mail only; we keep its SHA-256. With that much randomness a plain hash
is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from services.accounts.domain.accounts import Profile
from services.chassis.problems import Gone

SECRET_BYTES = 32


class Purpose(StrEnum):
    """What a link is good for."""

    ACTIVATION = "activation"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose


class Claimed(Struct, frozen=True):
    """What whoever registered typed. It is theirs only once they confirm the address."""

    password: str
    profile: Profile


class Link(Struct, frozen=True):
    """A link that was mailed. `claimed` is set where it confirms a registration that was repeated (see `register`)."""

    hash: str
    purpose: Purpose
    sub: str
    expires_at: datetime
    claimed: Claimed | None = None


class LinkGone(Gone):
    """The link was used, has expired, or never was: the three are not told apart."""

    kind = "link-gone"
    title = "This link was used before, or has expired"


def new_secret() -> str:
    """A fresh secret, fit for a URL."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """What we keep of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
