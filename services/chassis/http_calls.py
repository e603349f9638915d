"""One call over HTTP as it is made, maybe more than once: its body, its deadline, and when it may be repeated."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterable, Mapping
from typing import TypeAlias
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from services.chassis import context
from services.chassis.http_answers import HttpResponse, PeerUnavailable, retry_after_s

Content: TypeAlias = bytes | AsyncIterable[bytes]

ATTEMPTS = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
AWAY = frozenset({502, 503, 504})
TOO_MANY = 429


class Call(Struct, frozen=True):
    """A call as it is made, maybe more than once, until `deadline` on the monotonic clock."""

    method: str
    url: str
    party: str
    headers: Mapping[str, str]
    content: Content | None
    timeout_s: float
    deadline: float
    may_repeat: bool
    max_bytes: int | None

    @classmethod
    def made(
        cls,
        *,
        method: str,
        url: str,
        party: str,
        headers: Mapping[str, str],
        content: Content | None,
        timeout_s: float,
        idempotent: bool | None,
        max_bytes: int | None,
    ) -> Call:
        """The call, its deadline set from now on."""
        if idempotent is None:
            idempotent = method in IDEMPOTENT or any(name.lower() == "idempotency-key" for name in headers)
        may_repeat = idempotent and (content is None or isinstance(content, bytes))
        deadline = time.monotonic() + context.remaining_s(timeout_s)
        return cls(method, url, party, headers, content, timeout_s, deadline, may_repeat, max_bytes)

    def left_s(self) -> float:
        """The time that is left for it."""
        return self.deadline - time.monotonic()

    def sent_headers(self) -> dict[str, str]:
        """Its headers and those that carry on our trace and deadline."""
        parent = context.traceparent()
        trace = {"traceparent": parent} if parent else {}
        return {**trace, "X-Request-Timeout-Ms": str(max(1, int(self.left_s() * 1000))), **self.headers}


def pause_before_repeat_s(call: Call, outcome: HttpResponse | PeerUnavailable, attempt: int) -> float | None:
    """How long to wait before the call is made again, or None where it is not.

    The wait is what the party asks for, or a full jitter under an exponential bound, and leaves half of the time that
    is left for the call itself.
    """
    if attempt >= ATTEMPTS or not _may_repeat(call, outcome):
        return None
    bound_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
    asked_s = outcome.wait_s if isinstance(outcome, PeerUnavailable) else retry_after_s(outcome.headers)
    pause_s = (asked_s or 0.0) + random.uniform(0, bound_s)  # noqa: S311 - spreads the load
    return pause_s if pause_s <= call.left_s() / 2 else None


def _may_repeat(call: Call, outcome: HttpResponse | PeerUnavailable) -> bool:
    if isinstance(outcome, HttpResponse):
        return call.may_repeat and outcome.status == TOO_MANY
    if outcome.reason == "unreachable":
        return not isinstance(call.content, AsyncIterable)  # nothing was sent yet: safe whatever the call does
    return call.may_repeat and (outcome.reason in {"timeout", "broken"} or outcome.status in AWAY)


def encoded(
    json: object, form: Mapping[str, str] | None, content: Content | None
) -> tuple[Content | None, dict[str, str]]:
    """The body to send, and the header that tells its media type."""
    if json is not None:
        return msgspec.json.encode(json), {"Content-Type": "application/json"}
    if form is not None:
        return urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return content, {}
