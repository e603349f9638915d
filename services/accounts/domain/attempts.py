"""How often somebody may be wrong before they have to wait."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from services.chassis.problems import TooMany


class Limits(Struct, frozen=True):
    """Failed sign-ins that are let pass in a window: for one account, and from one address."""

    account: int = 10
    address: int = 50
    window: timedelta = timedelta(minutes=15)
    mails: int = 5
    mail_window: timedelta = timedelta(hours=1)


class TooManyAttempts(TooMany):
    """Somebody was wrong too often; it may be a guesser, so the right password does not help now either."""

    kind = "too-many-attempts"
    title = "Too many attempts"


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is what one customer gets."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return parsed.exploded[:19]
    return address
