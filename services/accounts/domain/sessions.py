"""Sign-ins: what one is worth, and what is told of it. The tokendealer keeps them, as families of tokens."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.chassis.problems import Unauthenticated

# The client through which people sign in on our own pages and with our own API, as the tokendealer names it.
OWN_CLIENT = "runnerly"


class SessionEnded(Unauthenticated):
    """The refresh token is not good any more: unknown, expired, signed out, or used before."""

    kind = "session-ended"
    title = "This sign-in has ended; sign in again"


class Tokens(Struct, frozen=True):
    """What a sign-in is worth: `expires_in` seconds for the access token, until `expires_at` for the refresh token."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    scope: str
    sub: str
    family: str
    expires_at: datetime


class Family(Struct, frozen=True):
    """One sign-in of a person, or what an app that they let in goes on with."""

    id: str
    client: str
    label: str
    created_at: datetime
    last_used_at: datetime

    @property
    def in_person(self) -> bool:
        """Whether it is a sign-in of the person, and not an app's."""
        return self.client == OWN_CLIENT


class Session(Struct, frozen=True):
    """One sign-in, as its owner sees it. `device` is what the `user_agent` says, in words; None where that says nothing."""

    id: str
    created_at: datetime
    last_seen_at: datetime
    user_agent: str
    device: str | None
    current: bool
