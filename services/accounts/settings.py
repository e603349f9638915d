"""What accounts is told by the environment."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from services.accounts.domain.attempts import Limits


class Settings(Struct, frozen=True):
    """How long links work, how often somebody may be wrong, how long is remembered who looked after what."""

    password_shortest: Annotated[
        int,
        Meta(
            ge=8, le=64, description="Characters that a new password has at least; NIST asks for 15 of an only factor"
        ),
    ] = 8
    activation_hours: Annotated[
        int, Meta(ge=24, le=48, description="How long the link in an activation mail works")
    ] = 48
    unconfirmed_days: Annotated[
        int, Meta(ge=7, description="Days after which an account goes that nobody has confirmed")
    ] = 30
    sign_in_failures: Annotated[int, Meta(ge=1, description="Failed sign-ins of one account before it has to wait")] = (
        10
    )
    sign_in_failures_address: Annotated[
        int, Meta(ge=1, description="Failed sign-ins from one address before it has to wait")
    ] = 50
    sign_in_window_s: Annotated[
        int, Meta(ge=1, description="Seconds in which failed sign-ins are counted, and after which they are forgotten")
    ] = 900
    mails_an_hour: Annotated[int, Meta(ge=1, description="Mails that strangers can have us send to one address")] = 5
    hashing_threads: Annotated[
        int, Meta(ge=1, le=32, description="Passwords hashed at once in each process; each takes a core and 19 MiB")
    ] = 1

    audit_days: Annotated[
        int, Meta(ge=30, le=3650, description="Days for which an entry of the audit trail is kept")
    ] = 400
    people_owners: Annotated[
        str, Meta(description="The services that hold personal data: who is asked for exports and deletions")
    ] = "tokendealer,accounts,activities,mailer"
    exports_a_day: Annotated[int, Meta(ge=1, description="Exports that one person can ask for in a day")] = 5
    export_kept_days: Annotated[int, Meta(ge=1, le=30, description="Days that an export can be downloaded")] = 7

    deletion_sweep_s: Annotated[
        float,
        Meta(
            ge=1, description="Seconds after which a deletion looks once more; longer than a request or a handler takes"
        ),
    ] = 360.0

    @property
    def owners(self) -> tuple[str, ...]:
        """The services that hold personal data."""
        return tuple(name.strip() for name in self.people_owners.split(",") if name.strip())

    @property
    def limits(self) -> Limits:
        """How often somebody may be wrong."""
        return Limits(
            account=self.sign_in_failures,
            address=self.sign_in_failures_address,
            window=timedelta(seconds=self.sign_in_window_s),
            mails=self.mails_an_hour,
        )
