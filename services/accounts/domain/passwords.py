"""Which passwords are taken (NIST SP 800-63B, 5.1.1.2): long ones, with any character, and no rule of composition."""

from __future__ import annotations

import unicodedata

from services.chassis.problems import Invalid

SHORTEST, LONGEST = 8, 128


def check_password(password: str, field: str = "password") -> str:
    """The password as it is hashed: normalised (NFKC), so that keyboards that compose letters otherwise agree.

    Raises `Invalid` for one that is too short or too long, counted in characters as a person would.
    """
    normalised = normalise(password)
    if not SHORTEST <= len(normalised) <= LONGEST:
        raise Invalid.field(field, f"A password has {SHORTEST} to {LONGEST} characters")
    return normalised


def normalise(password: str) -> str:
    """The form in which passwords are compared."""
    return unicodedata.normalize("NFKC", password)
