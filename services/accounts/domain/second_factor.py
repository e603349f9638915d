"""The second factor: codes of an authenticator app, and the recovery codes for when that is lost.

A recovery code is some 119 random bits, in letters that are not taken for each other. With so many there is nothing to
guess, so a keyed hash is enough to keep (see docs/decisions/0025-second-factor.md).
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from enum import Enum, auto

from msgspec import Struct

from services.chassis.problems import Conflict

SECRET_BYTES = 20  # what RFC 4226, 4 (R6) recommends
PENDING_FOR = timedelta(minutes=30)
FRESH_FOR = timedelta(minutes=15)

MOST_WRONG_CODES = 100  # in a row, as NIST SP 800-63B, 5.2.2 has it; then only a recovery code helps

RECOVERY_CODES, GROUPS, GROUP_LETTERS = 10, 4, 6
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
APP_CODE = re.compile(r"[0-9]{6}", re.ASCII)
SEPARATORS = re.compile(r"[\s-]+")


class SecondFactor(Struct, frozen=True):
    """One person's. `secret` is sealed; `last_step` is the latest time step whose code was used; codes are hashes.

    `wrong_codes` came since the last right one.
    """

    sub: str
    secret: bytes
    created_at: datetime
    confirmed_at: datetime | None = None
    last_step: int = 0
    recovery_codes: tuple[str, ...] = ()
    wrong_codes: int = 0

    @property
    def active(self) -> bool:
        """Whether signing in takes it."""
        return self.confirmed_at is not None

    @property
    def guessed_at(self) -> bool:
        """Whether somebody has guessed so often that no more codes of the app are looked at."""
        return self.wrong_codes >= MOST_WRONG_CODES

    def is_pending(self, now: datetime) -> bool:
        """Whether it was set up, and can still be confirmed."""
        return not self.active and now < self.created_at + PENDING_FOR


class Proof(Enum):
    """What came of asking for a second factor: there is none, it was right, it was not sent, or it was wrong."""

    NOT_ASKED = auto()
    RIGHT = auto()
    MISSING = auto()
    WRONG = auto()


class SecondFactorActive(Conflict):
    """There is one, and it is not replaced by whoever is signed in: it is removed first, with the password."""

    kind = "second-factor-active"
    title = "The second factor is on: remove it before you set up another"


class SecondFactorNotSetUp(Conflict):
    """There is nothing to confirm, or to have new recovery codes for."""

    kind = "second-factor-not-set-up"
    title = "Set up the second factor first"


def bound_to(sub: str) -> str:
    """What a person's secret is sealed for."""
    return f"accounts.second-factor/{sub}"


def new_secret() -> bytes:
    """A fresh secret to share with an authenticator app."""
    return secrets.token_bytes(SECRET_BYTES)


def new_recovery_codes() -> tuple[str, ...]:
    """Fresh recovery codes, as they are shown: `abcdef-234567-...`."""
    return tuple(_recovery_code() for _ in range(RECOVERY_CODES))


def _recovery_code() -> str:
    groups = ("".join(secrets.choice(LETTERS) for _ in range(GROUP_LETTERS)) for _ in range(GROUPS))
    return "-".join(groups)


def as_compared(otp: str) -> str:
    """What somebody typed, without what does not count: case, spaces, dashes."""
    return SEPARATORS.sub("", otp).lower()


def is_app_code(otp: str) -> bool:
    """Whether this (as compared) is a code of an authenticator app, and not a recovery code."""
    return APP_CODE.fullmatch(otp) is not None
