"""What comes back from a call over HTTP: an answer, a refusal, or nothing of use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from services.chassis.problems import Problem, Unavailable

T = TypeVar("T")
Reason = Literal["unreachable", "timeout", "broken", "failing", "open", "too-large", "unreadable"]


class PeerUnavailable(Unavailable):
    """Another party did not answer as it should; `reason` tells how, `status` is there for a 5xx."""

    kind = "peer-unavailable"
    title = "Someone we need does not answer right now"

    def __init__(self, party: str, reason: Reason, *, status: int | None = None, wait_s: float | None = None) -> None:
        retry_after_s = None if wait_s is None else max(1, math.ceil(wait_s))
        super().__init__(f"{party} does not answer right now", retry_after_s=retry_after_s)
        self.party = party
        self.reason: Reason = reason
        self.status = status
        self.wait_s = wait_s

    def __str__(self) -> str:
        return f"{self.reason} ({self.status})" if self.status else self.reason


class PeerRefused(Problem):
    """Another party understood us and said no. Where nobody catches it and says what that means, it is our bug."""

    def __init__(self, party: str, status: int, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.party = party
        self.status = status
        self.type = str(document.get("type") or document.get("error") or "about:blank")
        self.document = document

    def __str__(self) -> str:
        return f"{self.party} refused: {self.status} {self.type}"


class HttpResponse(Struct, frozen=True):
    """An answer, read to its end. `headers` are found whatever their case."""

    party: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, type: type[T]) -> T:  # noqa: A002 - reads best at the call
        """The body as this type. Raises `PeerUnavailable` for what can't be read as one."""
        try:
            return msgspec.json.decode(self.body, type=type)
        except (msgspec.MsgspecError, ValueError, RecursionError) as failure:
            raise PeerUnavailable(self.party, "unreadable", status=self.status) from failure

    def accepted(self) -> HttpResponse:
        """Itself, where it is no refusal. Raises `PeerRefused`."""
        if self.status >= 400:
            raise PeerRefused(self.party, self.status, document_of(self.body))
        return self


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds from now (RFC 9110, 10.2.3), or None."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def document_of(body: bytes) -> dict[str, Any]:
    """The problem document (RFC 9457) or OAuth error (RFC 6749) in a refusal; empty for anything else."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
