"""The way of a message: what each reply of a mail server does to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mailer.domain.messages import (
    LONGEST_WAIT,
    About,
    Attempt,
    Message,
    Outcome,
    Reply,
    State,
    after_attempt,
    judge,
    public_detail,
    wait_before,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MESSAGE = Message("m1", "activate", "kim@runnerly.test", "en", {"token": "secret"}, NOW)
DAY = timedelta(days=1)


def attempt(outcome: Outcome, at: datetime = NOW) -> Attempt:
    return Attempt(at, outcome, 250, "")


@pytest.mark.parametrize(
    ("code", "detail", "about", "outcome"),
    [
        (250, "2.0.0 Kept", About.MESSAGE, Outcome.ACCEPTED),
        (421, "4.3.2 Closing", About.CONNECTION, Outcome.TEMPORARY),
        (450, "4.2.1 Greylisted", About.RECIPIENT, Outcome.TEMPORARY),
        (451, "4.3.0 Later", About.MESSAGE, Outcome.TEMPORARY),
        (None, "connection lost", About.CONNECTION, Outcome.TEMPORARY),
        (535, "5.7.8 Wrong password", About.CONNECTION, Outcome.TEMPORARY),
        (550, "5.1.1 No such user", About.RECIPIENT, Outcome.REFUSED_ADDRESS),
        (550, "No such user", About.RECIPIENT, Outcome.REFUSED_ADDRESS),
        (550, "5.7.1 Looks like spam", About.RECIPIENT, Outcome.REFUSED),
        (552, "5.2.2 Full", About.RECIPIENT, Outcome.REFUSED),
        (554, "5.7.1 Looks like spam", About.MESSAGE, Outcome.REFUSED),
    ],
)
def test_a_reply_is_judged_by_its_codes(code: int | None, detail: str, about: About, outcome: Outcome) -> None:
    assert judge(Reply(code, detail, about)) is outcome


def test_what_is_done_keeps_neither_address_nor_words() -> None:
    for outcome, state in ((Outcome.ACCEPTED, State.SENT), (Outcome.REFUSED, State.FAILED)):
        done = after_attempt(MESSAGE, attempt(outcome), give_up_after=DAY)

        assert (done.state, done.to, done.data, done.due_at, done.finished_at) == (state, None, None, None, NOW)


def test_a_temporary_failure_is_tried_again_until_its_day_is_over() -> None:
    message, now, tries = MESSAGE, NOW, 0
    while message.state is State.QUEUED:
        message = after_attempt(message, attempt(Outcome.TEMPORARY, now), give_up_after=DAY)
        if message.due_at:
            assert now < message.due_at <= NOW + DAY
            now, tries = message.due_at, tries + 1

    assert message.state is State.FAILED
    assert 50 < tries < 100
    assert len(message.attempts) == 20


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_waits_grow_and_stay_bounded(retry: int, chance: float) -> None:
    assert timedelta(seconds=3) < wait_before(retry, lambda: chance) <= LONGEST_WAIT * 1.25
    assert wait_before(retry, lambda: chance) <= wait_before(retry + 1, lambda: chance)


@given(st.text(max_size=300))
def test_a_kept_reply_is_one_short_line(reply: str) -> None:
    detail = public_detail(reply)

    assert len(detail) <= 200
    assert detail.isprintable()


def test_a_kept_reply_names_nobody() -> None:
    assert public_detail("5.1.1 <kim@runnerly.test>:\r\n unknown, as is lou@runnerly.test") == (
        "5.1.1 <address>: unknown, as is <address>"
    )
