"""An outgoing message and its way: queued, tried, and at last sent, failed or suppressed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

FIRST_RETRY = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=30)
KEPT_ATTEMPTS = 20
LONGEST_DETAIL = 200
ENHANCED = re.compile(r"\d\.\d{1,3}\.\d{1,3}\b")
NO_SUCH_MAILBOX = re.compile(r"5\.1\.\d{1,3}\b")
ADDRESS = re.compile(r"<?[^\s<>]*@[^\s<>]*>?")


class State(StrEnum):
    """Where a message is on its way; all but the first are final."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


class Outcome(StrEnum):
    """How an attempt ended. `REFUSED_ADDRESS`: there is no such mailbox, and asking again would not help."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"
    REFUSED = "refused"
    REFUSED_ADDRESS = "refused_address"


class About(StrEnum):
    """What a reply answers: the connection and the sender, one recipient, or the message itself."""

    CONNECTION = "connection"
    RECIPIENT = "recipient"
    MESSAGE = "message"


class Reply(Struct, frozen=True):
    """What a mail server said; `code` is None where it said nothing."""

    code: int | None
    detail: str
    about: About


class Attempt(Struct, frozen=True):
    """One try: when, how it ended, and the server's reply (`code` is None where it gave none)."""

    at: datetime
    outcome: Outcome
    code: int | None
    detail: str


class Message(Struct, frozen=True):
    """A mail to one address. `to` and `data` are None once it is done: we keep no mail that we no longer need."""

    id: str
    template: str
    to: str | None
    locale: str
    data: dict[str, Any] | None
    created_at: datetime
    state: State = State.QUEUED
    attempts: tuple[Attempt, ...] = ()
    finished_at: datetime | None = None
    due_at: datetime | None = None
    sub: str | None = None
    trace_id: str | None = None


def judge(reply: Reply) -> Outcome:
    """What a reply means (RFC 5321, 4.2.1; RFC 3463 for the enhanced code).

    5yz is final only when it is about this recipient or this message: a refused login or sender is ours to repair,
    and the mail waits for that.
    """
    code = reply.code or 0
    if 200 <= code <= 299 and reply.about is About.MESSAGE:
        return Outcome.ACCEPTED
    if not 500 <= code <= 599 or reply.about is About.CONNECTION:
        return Outcome.TEMPORARY
    if reply.about is About.RECIPIENT and code in {550, 551, 553}:
        no_such = ENHANCED.match(reply.detail) is None or NO_SUCH_MAILBOX.match(reply.detail)
        return Outcome.REFUSED_ADDRESS if no_such else Outcome.REFUSED
    return Outcome.REFUSED


def after_attempt(message: Message, attempt: Attempt, *, give_up_after: timedelta) -> Message:
    """The message after an attempt: done, or due again."""
    attempts = (*message.attempts, attempt)[-KEPT_ATTEMPTS:]
    tried = msgspec.structs.replace(message, attempts=attempts)
    if attempt.outcome is Outcome.ACCEPTED:
        return finished(tried, State.SENT, attempt.at)
    if attempt.outcome is not Outcome.TEMPORARY:
        return finished(tried, State.FAILED, attempt.at)
    due_at = attempt.at + wait_before(len(message.attempts) + 1)
    if due_at > message.created_at + give_up_after:
        return finished(tried, State.FAILED, attempt.at)
    return msgspec.structs.replace(tried, due_at=due_at)


def finished(message: Message, state: State, at: datetime) -> Message:
    """The message at the end of its way, without what it said and to whom."""
    return msgspec.structs.replace(message, state=state, finished_at=at, due_at=None, to=None, data=None)


def wait_before(retry: int, chance: Callable[[], float] = random.random) -> timedelta:
    """How long to wait before a retry, counted from 1: doubling, with a jitter of a quarter so that they spread out."""
    doublings = min(retry - 1, 20)
    wait = min(FIRST_RETRY * 2.0**doublings, LONGEST_WAIT)
    return wait * (0.75 + 0.5 * chance())


def public_detail(reply: str) -> str:
    """A server's reply fit to be kept: one line, short, and without the addresses it may repeat."""
    line = " ".join(ADDRESS.sub("<address>", reply).split())
    return "".join(letter for letter in line if letter.isprintable())[:LONGEST_DETAIL]
