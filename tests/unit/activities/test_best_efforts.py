"""Best efforts are exact, for straight lines between samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.activities.domain.efforts import best_effort, best_efforts
from services.activities.domain.recording import Floats


def test_the_fastest_kilometre_is_found_between_samples() -> None:
    # 1 km at 2 m/s, 1 km at 4 m/s, 1 km at 2 m/s; a sample each 7 s
    time = np.array([0.0, 500.0, 750.0, 1250.0])
    distance = np.array([0.0, 1000.0, 2000.0, 3000.0])
    often = np.arange(0.0, 1250.0, 7.0)
    efforts = {effort.distance_m: effort for effort in best_efforts(often, np.interp(often, time, distance))}
    assert efforts[1000.0].elapsed_s == pytest.approx(250, abs=1.5)
    assert efforts[1000.0].start_s == pytest.approx(500, abs=7)
    assert efforts[1609.344].elapsed_s == pytest.approx(250 + 609.344 / 2, abs=1.5)
    assert 5000.0 not in efforts


def test_standing_before_and_after_is_not_part_of_an_effort() -> None:
    time = np.array([0.0, 100.0, 400.0, 500.0])
    distance = np.array([0.0, 0.0, 1000.0, 1000.0])
    assert best_effort(time, distance, 1000.0).elapsed_s == 300.0


@st.composite
def courses(draw: st.DrawFn) -> tuple[Floats, Floats]:
    steps = draw(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 300)), min_size=2, max_size=40))
    time, distance = np.cumsum([(0, 0), *steps], axis=0).T.astype(float)
    return time, distance


@settings(deadline=None)
@given(courses(), st.integers(50, 2000))
def test_no_window_is_faster(course: tuple[Floats, Floats], length: int) -> None:
    time, distance = course
    if distance[-1] < length:
        return
    effort = best_effort(time, distance, float(length))
    assert 0 <= effort.start_s <= effort.start_s + effort.elapsed_s <= time[-1] + 0.02
    covered = np.interp([effort.start_s, effort.start_s + effort.elapsed_s], time, distance)
    assert covered[1] - covered[0] >= length - 3.5  # of 300 m/s at most, rounded to 1/100 s
    for start in np.linspace(0, time[-1], 500):
        begin = np.interp(start, time, distance)
        if begin + length <= distance[-1]:
            row = int(np.searchsorted(distance, begin + length, side="left"))
            before, after = max(row - 1, 0), row
            step = distance[after] - distance[before]
            share = (begin + length - distance[before]) / step if step else 0.0
            end = time[before] + share * (time[after] - time[before])
            assert end - start >= effort.elapsed_s - 0.011
