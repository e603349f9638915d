"""What is made of odd recordings: the rows of the table in docs/recordings.md that test_analysis does not have, a test each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.activities.domain.activity import Summary
from services.activities.domain.problems import NotAnActivity
from services.activities.reading import read_and_analyse
from tests.support.recordings import METRES_A_DEGREE, START, Point, Session, a_run, fit, gpx, tcx, without

RUN = a_run(900)


def summary_of(content: bytes) -> Summary:
    (analysis,) = read_and_analyse(content)
    return analysis.summary


def shifted(points: list[Point], by: timedelta) -> list[Point]:
    return [replace(point, at=point.at + by) for point in points]


def test_over_a_hole_that_one_can_have_run_the_way_is_straight_and_moving() -> None:
    holed = [*RUN[:300], *RUN[600:]]
    for content in (gpx(holed), fit(Session(holed))):
        summary = summary_of(content)
        assert summary.distance_m == pytest.approx(2700, rel=3e-3)
        assert (summary.elapsed_s, summary.moving_s) == (900.0, 900.0)


def test_a_clock_that_jumps_an_hour_ahead_adds_to_the_elapsed_time_only() -> None:
    summary = summary_of(gpx([*RUN[:450], *shifted(RUN[450:], timedelta(hours=1))]))
    assert summary.elapsed_s == 4500.0
    assert summary.moving_s == pytest.approx(899, abs=2)
    assert summary.distance_m == pytest.approx(2697, rel=3e-3)


def test_a_clock_that_jumps_back_is_sorted_and_refuses_nothing() -> None:
    back = shifted(RUN[450:], timedelta(seconds=-200))
    summary = summary_of(fit(Session([*RUN[:450], *back])))
    assert summary.elapsed_s == 700.0
    assert summary.distance_m == pytest.approx(2700, rel=0.01)


@pytest.mark.parametrize("year", [1970, 1989, 1990])
@pytest.mark.parametrize("write", [gpx, lambda points: tcx([points])], ids=["gpx", "tcx"])
def test_samples_from_before_the_device_knew_the_date_are_left_out(
    year: int, write: Callable[[list[Point]], bytes]
) -> None:
    early = shifted(RUN[:5], datetime(year, 1, 1, tzinfo=UTC) - START)
    summary = summary_of(write([*early, *RUN[5:]]))
    assert summary.started_at == START + timedelta(seconds=5)
    assert summary.elapsed_s == 895.0


@pytest.mark.parametrize("absurd", [-600.0, 12_500.0, 65_535.0])
def test_an_absurd_altitude_is_not_climbed(absurd: float) -> None:
    points = [replace(point, altitude=absurd) if n % 50 == 0 else point for n, point in enumerate(RUN)]
    summary = summary_of(gpx(points))
    assert (summary.ascent_m, summary.descent_m) == (0.0, 0.0)
    assert summary_of(gpx([replace(point, altitude=absurd) for point in RUN])).ascent_m is None


def test_a_position_at_zero_zero_is_no_position() -> None:
    nowhere = [replace(point, lat=0.0, lon=0.0) for point in RUN[:60]]
    summary = summary_of(gpx([*nowhere, *RUN[60:]]))
    assert summary.timezone == "Europe/Paris"
    assert summary.bounds is not None
    assert summary.bounds.south > 48


def test_a_spike_of_one_second_is_in_no_split_and_no_effort() -> None:
    spiked = list(RUN)
    spiked[400] = replace(RUN[400], lat=(RUN[400].lat or 0.0) + 400 / METRES_A_DEGREE)
    (clean,), (analysis,) = read_and_analyse(gpx(RUN)), read_and_analyse(gpx(spiked))
    for one, other in zip(analysis.best_efforts, clean.best_efforts, strict=True):
        assert one.elapsed_s == pytest.approx(other.elapsed_s, abs=1)


def test_a_triathlon_in_one_file_is_an_activity_a_session() -> None:
    swim = without(a_run(600, speed=1.0), "heart_rate", "cadence")
    change = a_run(60, speed=1.0, start=START + timedelta(seconds=601))
    ride = a_run(900, speed=9.0, start=START + timedelta(seconds=662))
    analyses = read_and_analyse(fit(Session(swim, sport=5), Session(change, sport=3), Session(ride, sport=2)))
    assert [one.summary.sport for one in analyses] == ["swimming", "transition", "cycling"]
    assert [one.summary.elapsed_s for one in analyses] == [600, 60, 900]
    assert analyses[2].summary.average_cadence_spm == 85


def test_a_fraction_of_a_cadence_counts() -> None:
    content = gpx(RUN).replace(b"<tpx:cad>85</tpx:cad>", b"<tpx:cad>85.5</tpx:cad>")
    assert summary_of(content).average_cadence_spm == 171


def test_nearly_a_month_is_an_activity() -> None:
    points = [Point(START + timedelta(minutes=10 * n), lat=48.0 + n / 1e5, lon=2.0) for n in range(31 * 144)]
    assert summary_of(gpx(points)).elapsed_s == pytest.approx(31 * 86_400 - 600)


def test_a_file_of_more_samples_than_three_days_have_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.activities.formats.columns.SAMPLES", 500)
    monkeypatch.setattr("services.activities.formats.fit.SAMPLES", 500)
    for content in (gpx(RUN), tcx([RUN]), fit(Session(RUN))):
        with pytest.raises(NotAnActivity, match="over 500 samples"):
            read_and_analyse(content)


def test_a_session_without_samples_and_without_a_date_is_refused() -> None:
    with pytest.raises(NotAnActivity, match="no date that can be"):
        read_and_analyse(fit(Session([], start=datetime(2110, 1, 1, tzinfo=UTC), elapsed=1800)))
