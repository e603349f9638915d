"""What an app may do for a person: the request, the person's consent, and the code that the app trades for tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta

from msgspec import Struct

from services.tokendealer.domain.clients import Client
from services.tokendealer.domain.redirects import is_on_device

# RFC 7636, 4.1 and 4.2. The plain method shows the verifier to whoever sees the request; it is not spoken here.
METHOD = "S256"
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")

CODE_FOR = timedelta(seconds=60)
# A code that was used is remembered for as long, so that one who uses it again is found out.
CODE_REMEMBERED_FOR = timedelta(days=1)
ASKED_FOR = timedelta(minutes=30)


class AuthorizationRequest(Struct, frozen=True):
    """What an app asks of a person, after everything in it was found right. `scopes` are those the person can give."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    state: str | None


class Question(Struct, frozen=True):
    """A request as it was put before one person in one sign-in; it travels, sealed, in the form they answer with."""

    request: AuthorizationRequest
    sub: str
    session: str
    until: float


class Code(Struct, frozen=True):
    """An authorization code, known by its keyed hash. `family` is what it was traded for; it is traded once."""

    id: str
    client_id: str
    sub: str
    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    forgotten_at: datetime
    family: str | None = None
    replayed: bool = False


class Consent(Struct, frozen=True):
    """All that a person let an app do, so far."""

    sub: str
    client_id: str
    scopes: tuple[str, ...]
    created_at: datetime
    changed_at: datetime


class Asking(Struct, frozen=True):
    """A request with what a page needs to ask for it; `known` are the scopes that the person gave this app before."""

    client: Client
    request: AuthorizationRequest
    known: tuple[str, ...]

    @property
    def is_settled(self) -> bool:
        """Whether the person has said yes to all of it before, to what is surely the same app."""
        could_be_another = self.client.public and is_on_device(self.request.redirect_uri)
        return set(self.request.scopes) <= set(self.known) and not could_be_another


class LetIn(Struct, frozen=True):
    """An app that a person let in. `last_used_at` is None where it has no tokens now."""

    client: Client
    consent: Consent
    last_used_at: datetime | None


def answers(verifier: str, challenge: str) -> bool:
    """Whether this verifier is the one that a challenge was made of (RFC 7636, 4.6)."""
    if not VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)
