"""Statistics: what comes and goes cancels exactly, whatever the order."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.activities.domain.roll_ups import (
    PERIODS,
    Amounts,
    Bucket,
    Counted,
    change,
    contribution,
    next_start,
    start_of,
    stretches,
)

activities = st.builds(
    Counted,
    local_date=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    sport=st.sampled_from(("running", "cycling")),
    distance_m=st.floats(0, 5e6),
    moving_s=st.floats(0, 2.7e6),
    elapsed_s=st.floats(0, 2.7e6),
    ascent_m=st.none() | st.floats(0, 1e5),
    load=st.none() | st.floats(0, 1e4),
)


@pytest.mark.parametrize(
    ("day", "week"),
    [
        (date(2026, 3, 1), date(2026, 2, 23)),
        (date(2026, 3, 2), date(2026, 3, 2)),
        (date(2027, 1, 1), date(2026, 12, 28)),
    ],
    ids=["a Sunday", "a Monday", "New Year's day"],
)
def test_weeks_begin_on_monday(day: date, week: date) -> None:
    assert start_of("week", day) == week


def test_an_activity_counts_in_each_period_it_is_in() -> None:
    run = Counted(date(2026, 5, 20), "running", 10_000.0, 3000.5, 3100.0, 120.0)
    amounts = Amounts(1, 10_000_000, 3_000_500, 3_100_000, 120_000, 0)
    assert contribution(run) == {
        Bucket("day", date(2026, 5, 20), "running"): amounts,
        Bucket("week", date(2026, 5, 18), "running"): amounts,
        Bucket("month", date(2026, 5, 1), "running"): amounts,
        Bucket("year", date(2026, 1, 1), "running"): amounts,
    }


def summed(*changes: dict[Bucket, Amounts]) -> dict[Bucket, Amounts]:
    total: dict[Bucket, Amounts] = {}
    for one in changes:
        for bucket, amounts in one.items():
            total[bucket] = total.get(bucket, Amounts()) + amounts
    return {bucket: amounts for bucket, amounts in total.items() if amounts != Amounts()}


@given(st.lists(activities, max_size=8), st.randoms())
def test_adding_and_removing_cancel(some: list[Counted], random: object) -> None:
    changes = [change(added=[one]) for one in some] + [change(removed=[one]) for one in some]
    random.shuffle(changes)  # type: ignore[attr-defined]
    assert summed(*changes) == {}


@given(st.lists(activities, max_size=8), st.lists(activities, max_size=8))
def test_a_change_is_the_difference_of_rebuilding(before: list[Counted], after: list[Counted]) -> None:
    assert summed(change(added=before), change(removed=before, added=after)) == change(added=after)


@given(activities)
def test_what_did_not_change_changes_nothing(one: Counted) -> None:
    assert change(removed=[one], added=[one]) == {}


days = st.dates(date(2023, 12, 20), date(2026, 2, 10))


@given(st.sampled_from(PERIODS), days, days)
def test_the_buckets_of_a_range_hold_exactly_its_days(by: str, first: date, last: date) -> None:
    held: list[date] = []
    for stretch in stretches(by, first, last):  # type: ignore[arg-type]
        assert stretch.first is not None
        assert stretch.last is not None
        start = stretch.first
        assert start == start_of(stretch.period, start)
        while start <= stretch.last:
            following = next_start(stretch.period, start)
            held += [start + timedelta(days=n) for n in range((following - start).days)]
            start = following
    assert sorted(held) == [first + timedelta(days=n) for n in range((last - first).days + 1)]


@given(st.sampled_from(PERIODS), days)
def test_a_range_without_an_end_is_cut_at_the_other_only(by: str, day: date) -> None:
    (whole,) = stretches(by, None, None)  # type: ignore[arg-type]
    assert (whole.period, whole.first, whole.last) == (by, None, None)
    for first, last in ((day, None), (None, day)):
        found = stretches(by, first, last)  # type: ignore[arg-type]
        assert len([one for one in found if one.first is None or one.last is None]) == 1
        assert all(one.period in {by, "day"} for one in found)
