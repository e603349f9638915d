"""When a party's circuit opens, and how it closes again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.breaker import Breaker, CircuitOpen


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def call(breaker: Breaker, succeeded: bool | None) -> None:
    with breaker.attempt() as attempt:
        attempt.succeeded = succeeded


def opened(clock: Clock, told: list[str] | None = None) -> Breaker:
    told = [] if told is None else told
    breaker = Breaker(failures=3, open_s=2, monotonic=clock, on_change=lambda breaker: told.append(breaker.state))
    for _ in range(3):
        call(breaker, False)
    assert breaker.state == "open"
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker(failures=3)
    for succeeded in (False, False, True, False, False, None, True):
        call(breaker, succeeded)
    assert breaker.state == "closed"
    for _ in range(3):
        call(breaker, False)
    assert breaker.state == "open"


def test_an_open_circuit_refuses_and_says_how_long() -> None:
    breaker = opened(Clock())
    with pytest.raises(CircuitOpen) as caught:
        breaker.attempt()
    assert 1.6 <= caught.value.wait_s <= 2.4


def test_one_probe_passes_when_its_time_is_up_and_closes_it() -> None:
    clock, told = Clock(), list[str]()
    breaker = opened(clock, told)
    clock.now = 3
    with breaker.attempt() as probe:
        with pytest.raises(CircuitOpen):
            breaker.attempt()
        probe.succeeded = True
    assert told == ["open", "half-open", "closed"]
    call(breaker, True)


def test_a_failed_probe_opens_it_for_longer() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 3
    call(breaker, False)
    with pytest.raises(CircuitOpen) as caught:
        breaker.attempt()
    assert caught.value.wait_s > 3


def test_an_abandoned_probe_leaves_room_for_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 3
    call(breaker, None)
    call(breaker, True)
    assert breaker.state == "closed"


def test_late_ends_of_earlier_calls_change_nothing() -> None:
    clock = Clock()
    breaker = Breaker(failures=3, open_s=2, monotonic=clock)
    early = breaker.attempt()
    for _ in range(3):
        call(breaker, False)
    early.succeeded = True
    breaker.ended(early)
    assert breaker.state == "open"


@given(steps=st.lists(st.tuples(st.sampled_from([True, False, None]), st.floats(0, 5)), max_size=60))
def test_it_never_locks_up(steps: list[tuple[bool | None, float]]) -> None:
    """Whatever happened, a party that is well again is called again within the longest opening."""
    clock = Clock()
    breaker = Breaker(failures=2, open_s=1, monotonic=clock)
    for succeeded, later in steps:
        clock.now += later
        with suppress(CircuitOpen):
            call(breaker, succeeded)
    clock.now += 60 * 1.2
    call(breaker, True)
    assert breaker.state == "closed"
