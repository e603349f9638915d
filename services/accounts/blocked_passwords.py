"""The passwords that attackers try first: 30,000 of breaches, as the package `zxcvbn` has them."""

from __future__ import annotations


def read_blocked_passwords() -> frozenset[str]:
    """All of them, in lower case. Read when it is called: the lists take a tenth of a second and some megabytes."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - see above

    return frozenset(FREQUENCY_LISTS["passwords"])
