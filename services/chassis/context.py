"""What belongs to the request in hand: its trace, its deadline and its operation.

The context is an immutable value in a context variable, so that clients, stores and logs can read it
without being handed it; nothing changes it, a new one is set. The trace is W3C `traceparent` (level 1).
"""

from __future__ import annotations

import re
import secrets
import time
from contextvars import ContextVar

from msgspec import Struct
from msgspec.structs import replace

TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")
NO_TRACE, NO_SPAN = "0" * 32, "0" * 16


class RequestContext(Struct, frozen=True):
    """The request (or the event, or the job) being worked on. `deadline` is on the monotonic clock, in seconds."""

    trace_id: str
    span_id: str
    deadline: float
    operation: str = ""
    service: str = ""
    sub: str | None = None

    @property
    def traceparent(self) -> str:
        """The header that hands this trace on."""
        return f"00-{self.trace_id}-{self.span_id}-01"


_current: ContextVar[RequestContext | None] = ContextVar("runnerly_request", default=None)


def current() -> RequestContext | None:
    """The context of the running task, or None outside any request."""
    return _current.get()


def enter(context: RequestContext) -> None:
    """Make this the context of the running task and of what it starts."""
    _current.set(context)


def about(sub: str) -> None:
    """From here on the running task is about this person: logs name them (by a keyed hash), events may."""
    context = _current.get()
    if context is not None:
        _current.set(replace(context, sub=sub))


def begin(
    traceparent: str | None,
    *,
    timeout_s: float,
    operation: str = "",
    service: str = "",
    sub: str | None = None,
) -> RequestContext:
    """A context that carries on the caller's trace, or starts one where the header is absent or malformed."""
    trace_id = trace_of(traceparent) or secrets.token_hex(16)
    return RequestContext(trace_id, secrets.token_hex(8), time.monotonic() + timeout_s, operation, service, sub)


def trace_of(traceparent: str | None) -> str | None:
    """The trace id in a `traceparent` header, or None where it is not a valid one."""
    match = TRACEPARENT.match(traceparent) if traceparent else None
    if match is None or match[1] == NO_TRACE or match[2] == NO_SPAN:
        return None
    return match[1]


def traceparent() -> str | None:
    """The `traceparent` of the running task, for an outgoing call, an event or a mail."""
    context = _current.get()
    return context.traceparent if context else None


def remaining_s(at_most: float) -> float:
    """Seconds until the deadline of the running task, never over `at_most`, never below zero."""
    context = _current.get()
    if context is None:
        return at_most
    return max(0.0, min(at_most, context.deadline - time.monotonic()))
