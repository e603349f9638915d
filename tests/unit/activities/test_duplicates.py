"""The same run twice is one run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.activities.domain.duplicates import same_activity

START = datetime(2026, 3, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "distance", "elapsed", "same"),
    [
        (0, 10_000.0, 3000.0, True),
        (60, 10_199.0, 4000.0, True),
        (-60, 9_801.0, 3000.0, True),
        (61, 10_000.0, 3000.0, False),
        (0, 10_300.0, 3000.0, False),
        (0, 0.0, 3000.0, False),
    ],
)
def test_the_same_start_and_distance_is_the_same(seconds: int, distance: float, elapsed: float, same: bool) -> None:
    other = (START + timedelta(seconds=seconds), distance, elapsed)
    assert same_activity(START, 10_000.0, 3000.0, other) is same


def test_without_any_distance_the_time_tells() -> None:
    assert same_activity(START, 0.0, 600.0, (START + timedelta(seconds=20), 0.0, 605.0))
    assert not same_activity(START, 0.0, 24.0, (START + timedelta(seconds=24), 0.0, 12.0))
