"""What the tokendealer is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from services.tokendealer.domain.families import Lifetimes


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How long tokens and sign-ins are good for."""

    access_token_s: Annotated[
        int, Meta(ge=10, le=300, description="Seconds an access token is good for; signing out does not shorten them")
    ] = 300
    session_idle_days: Annotated[int, Meta(ge=1, description="Days after which an unused sign-in ends")] = 30
    session_days: Annotated[int, Meta(ge=1, description="Days after which any sign-in ends")] = 180

    @property
    def lifetimes(self) -> Lifetimes:
        """The same as durations."""
        return Lifetimes(
            access=timedelta(seconds=self.access_token_s),
            idle=timedelta(days=self.session_idle_days),
            longest=timedelta(days=self.session_days),
        )
