"""Fewer points keep the ends, the number asked for, and the shape."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.activities.domain.streams import Streams
from services.activities.shapes import downsampled


@st.composite
def streams(draw: st.DrawFn) -> Streams:
    count = draw(st.integers(2, 400))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    time = np.cumsum(generator.integers(1, 5, count)).astype(float)
    series = {}
    for name in draw(st.sets(st.sampled_from(("distance", "altitude", "heart_rate", "lat", "lon")))):
        column = np.cumsum(generator.normal(0, 1, count))
        column[generator.random(count) < draw(st.sampled_from((0.0, 0.3, 0.95)))] = np.nan
        series[name] = column
    return Streams(time, series)


@settings(deadline=None)
@given(streams(), st.integers(2, 500))
def test_downsampling_keeps_the_ends_and_gives_what_was_asked_for(whole: Streams, points: int) -> None:
    fewer = downsampled(whole, points)
    assert len(fewer.time) == min(points, len(whole.time))
    assert (fewer.time[0], fewer.time[-1]) == (whole.time[0], whole.time[-1])
    assert (np.diff(fewer.time) > 0).all()
    assert all(len(column) == len(fewer.time) for column in fewer.series.values())
    kept = set(whole.time.tolist())
    assert kept.issuperset(fewer.time.tolist())


def test_a_peak_of_one_second_is_kept() -> None:
    time = np.arange(3600.0)
    heart_rate = np.full(3600, 140.0)
    heart_rate[1234] = 190.0
    altitude = np.full(3600, 10.0)
    altitude[2345] = 60.0
    fewer = downsampled(Streams(time, {"heart_rate": heart_rate, "altitude": altitude}), 100)
    assert fewer.series["heart_rate"].max() == 190
    assert fewer.series["altitude"].max() == 60


def test_only_the_series_asked_for_are_given() -> None:
    whole = Streams(np.arange(2.0), {"distance": np.zeros(2), "altitude": np.zeros(2)})
    assert list(whole.only(["altitude", "power"]).series) == ["altitude"]
