"""Secret links: what is mailed to an address, to be used once by whoever reads that mail.

The secret is 256 random bits and goes out in the mail only; we keep its SHA-256. With that much randomness a plain hash
is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from services.accounts.domain.accounts import Profile
from services.chassis.problems import Conflict, Gone

SECRET_BYTES = 32


class Purpose(StrEnum):
    """What a link is good for."""

    ACTIVATION = "activation"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose
    EMAIL_CHANGE = "email_change"
    RECOVERY = "recovery"
    UNLOCK = "unlock"


# For how long each is good, where no setting says so. A recovery is a mail that somebody may read after the weekend.
GOOD_FOR = {
    Purpose.PASSWORD_RESET: timedelta(hours=2),
    Purpose.EMAIL_CHANGE: timedelta(hours=24),
    Purpose.RECOVERY: timedelta(hours=72),
    Purpose.UNLOCK: timedelta(hours=24),
}

# What else is void once one is used. Whoever sets a password takes back what was begun with the one before. An address that
# was left is where the links of before went. No link but a recovery voids a recovery: a thief could use one.
VOIDS = {
    Purpose.ACTIVATION: (Purpose.ACTIVATION,),
    Purpose.PASSWORD_RESET: (Purpose.PASSWORD_RESET, Purpose.EMAIL_CHANGE, Purpose.UNLOCK),
    Purpose.EMAIL_CHANGE: (Purpose.ACTIVATION, Purpose.PASSWORD_RESET, Purpose.EMAIL_CHANGE, Purpose.UNLOCK),
    Purpose.RECOVERY: (Purpose.PASSWORD_RESET, Purpose.EMAIL_CHANGE, Purpose.UNLOCK),
    Purpose.UNLOCK: (Purpose.UNLOCK,),
}


class Claimed(Struct, frozen=True):
    """What whoever registered typed. It is theirs only once they confirm the address."""

    password: str
    profile: Profile


class Link(Struct, frozen=True):
    """A link that was mailed. `claimed` is set where it confirms a registration that was repeated (see `register`).

    `email` is the address that an e-mail change leads to, and the one that a recovery brings back.
    """

    hash: str
    purpose: Purpose
    sub: str
    expires_at: datetime
    claimed: Claimed | None = None
    email: str | None = None


class LinkGone(Gone):
    """The link was used, has expired, or never was: the three are not told apart."""

    kind = "link-gone"
    title = "This link was used before, or has expired"


class EmailTaken(Conflict):
    """The address has an account by now. Only who reads its mail is told so."""

    kind = "email-taken"
    title = "This address has an account by now"


def new_secret() -> str:
    """A fresh secret, fit for a URL."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """What we keep of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
