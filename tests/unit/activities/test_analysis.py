"""What is made of a recording: the numbers a runner sees, on runs whose numbers are known."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from services.activities.domain.activity import Summary
from services.activities.domain.analysis import Analysis, analyse
from services.activities.domain.climbing import cost_of_slope
from services.activities.domain.geodesy import bounds_of, encoded, lengths_m
from services.activities.domain.local_time import local_date_of, zone_of_offset
from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording, Totals
from services.activities.formats.fit import read_fit
from services.activities.reading import read_and_analyse, zone_at
from services.activities.shapes import rows_of_shape
from tests.support.recordings import START, Point, Session, a_run, fit, gpx, gpx_of_segments, tcx, without


def analysed(content: bytes) -> Analysis:
    (analysis,) = read_and_analyse(content)
    return analysis


def splits_of(analysis: Analysis, unit: str = "km") -> list[float]:
    assert analysis.splits is not None
    return [split.distance_m or 0.0 for split in analysis.splits[unit]]


def test_an_even_run_by_places_alone() -> None:
    summary = analysed(gpx(a_run(1800, speed=3.0))).summary
    assert summary.distance_m == pytest.approx(5393.6, rel=1e-3)  # a degree of latitude is 111.19 km in Paris
    assert (summary.elapsed_s, summary.moving_s) == (1800.0, 1800.0)
    assert summary.average_speed_mps == pytest.approx(3.0, rel=5e-3)
    assert summary.average_cadence_spm == 170
    assert summary.average_heart_rate_bpm == pytest.approx(144.5, abs=0.1)
    assert summary.max_heart_rate_bpm == 149
    assert (summary.timezone, summary.local_date) == ("Europe/Paris", date(2026, 3, 1))
    assert (summary.title, summary.sport) == ("Morning run", "running")


def test_the_devices_distance_is_believed_and_its_total_most() -> None:
    points = a_run(600, speed=3.0)
    assert analysed(fit(Session(points))).summary.distance_m == 1800.0
    calibrated = analysed(fit(Session(points, distance=1890.0)))
    assert calibrated.summary.distance_m == 1890.0
    assert sum(splits_of(calibrated)) == pytest.approx(1890.0)


def test_a_spike_adds_nothing() -> None:
    points = a_run(600, speed=3.0)
    clean = analysed(gpx(points)).summary
    points[300] = replace(points[300], lat=points[300].lat + 0.01)  # type: ignore[operator]
    for row in (400, 401, 402):
        points[row] = replace(points[row], lon=points[row].lon - 0.02)  # type: ignore[operator]
    summary = analysed(gpx(points)).summary
    assert summary.distance_m == pytest.approx(clean.distance_m, rel=1e-3)
    assert summary.max_speed_mps is not None
    assert summary.max_speed_mps < 4


def test_a_jump_that_nobody_makes_adds_nothing() -> None:
    points = a_run(600, speed=3.0)
    moved = [replace(point, lon=point.lon + 1.0) for point in points[300:]]  # type: ignore[operator]
    assert analysed(gpx([*points[:300], *moved])).summary.distance_m == pytest.approx(1797, rel=3e-3)


def test_noise_on_the_places_adds_little() -> None:
    jitter = np.random.default_rng(1).normal(0, 2e-6, (1801, 2))
    points = [
        replace(point, lat=point.lat + north, lon=point.lon + east)  # type: ignore[operator]
        for point, (north, east) in zip(a_run(1800), jitter, strict=True)
    ]
    assert analysed(gpx(points)).summary.distance_m == pytest.approx(5400, rel=5e-3)


def test_the_timers_pauses_are_not_moving() -> None:
    points = a_run(600)
    summary = analysed(fit(Session(points, pauses=[(100, 160)]))).summary
    assert (summary.elapsed_s, summary.moving_s) == (600.0, 540.0)


def test_standing_is_not_moving() -> None:
    stop = [replace(point, at=START + timedelta(seconds=301 + n)) for n, point in enumerate([a_run(300)[-1]] * 120)]
    rest = [replace(point, at=point.at + timedelta(seconds=120)) for point in a_run(600)[301:]]
    summary = analysed(gpx([*a_run(300), *stop, *rest])).summary
    assert summary.elapsed_s == 720
    assert summary.moving_s == pytest.approx(600, abs=6)


def test_between_gpx_segments_nothing_is_covered_and_nobody_moves() -> None:
    first = a_run(300)
    second = a_run(300, start=START + timedelta(minutes=20), lat=48.95)
    summary = analysed(gpx_of_segments([first, second])).summary
    assert summary.distance_m == pytest.approx(1798, rel=2e-3)
    assert (summary.elapsed_s, summary.moving_s) == (1500.0, 600.0)


def test_ascent_is_what_was_climbed_and_not_the_noise() -> None:
    noise = np.random.default_rng(2).normal(0, 0.4, 1801)
    hill = [
        replace(point, altitude=100 + 40 * (1 - math.cos(second / 1800 * 4 * math.pi)) + noise[second])
        for second, point in enumerate(a_run(1800))
    ]
    summary = analysed(gpx(hill)).summary
    assert summary.ascent_m == pytest.approx(160, abs=8)
    assert summary.descent_m == pytest.approx(160, abs=8)
    flat = [replace(point, altitude=100 + noise[second]) for second, point in enumerate(a_run(1800))]
    assert analysed(gpx(flat)).summary.ascent_m == 0


def test_without_altitude_the_ascent_is_not_known() -> None:
    summary = analysed(gpx(without(a_run(300), "altitude"))).summary
    assert (summary.ascent_m, summary.descent_m, summary.grade_adjusted_speed_mps) == (None, None, None)


def test_uphill_counts_as_faster_on_the_flat() -> None:
    summary = analysed(fit(Session(a_run(1200, climb=0.05)))).summary
    assert summary.grade_adjusted_speed_mps == pytest.approx(
        3.0 * float(cost_of_slope(np.array([0.05]))[0]) / 3.6, rel=0.02
    )


def test_the_cost_of_slopes_is_minettis() -> None:
    # Minetti et al. 2002; the values are those of docs on the published polynomial
    assert cost_of_slope(np.array([0.0, -0.20, 0.45, 0.9])) == pytest.approx([3.60, 1.80, 19.43, 19.43], abs=0.01)


def test_a_treadmill_has_distance_and_no_places() -> None:
    analysis = analysed(fit(Session(without(a_run(1200), "lat", "lon", "altitude")), utc_offset=3600))
    summary = analysis.summary
    assert (summary.distance_m, summary.polyline, summary.bounds) == (3600.0, None, None)
    assert (summary.timezone, summary.moving_s) == ("Etc/GMT-1", 1200.0)
    assert splits_of(analysis) == [1000, 1000, 1000, 600]


def test_a_treadmill_without_a_sensor_has_time_only() -> None:
    analysis = analysed(fit(Session(without(a_run(1200), "lat", "lon", "altitude", "distance", "speed"))))
    summary = analysis.summary
    assert (summary.distance_m, summary.average_speed_mps, summary.moving_s) == (0.0, None, 1200.0)
    assert splits_of(analysis) == []
    assert [lap.distance_m for lap in analysis.laps] == [None]


def test_a_pool_swim_counts_its_lengths() -> None:
    # a record at the end of each length of 25 m, and no cadence of steps
    lengths = [
        Point(at=START + timedelta(seconds=30 * n), distance=25.0 * n, heart_rate=120, cadence=25) for n in range(41)
    ]
    summary = analysed(fit(Session(lengths, sport=5, distance=1000.0))).summary
    assert (summary.sport, summary.distance_m, summary.elapsed_s) == ("swimming", 1000.0, 1200.0)
    assert summary.average_cadence_spm == 25


def test_cadence_is_doubled_on_foot_once() -> None:
    both_legs = [replace(point, cadence=172) for point in a_run(300)]
    ride = [replace(point, cadence=90) for point in a_run(300, speed=8.0)]
    assert analysed(gpx(both_legs)).summary.average_cadence_spm == 172
    assert analysed(gpx(ride, kind="cycling")).summary.average_cadence_spm == 90


def of_the_devices_totals(points: list[Point], **totals: float) -> Summary:
    """The summary of a run of which the device says this of the whole."""
    (recording,) = read_fit(fit(Session(points)))
    told = replace(recording, totals=Totals(**totals))
    return analyse(told, zone_at=zone_at, rows_of_shape=rows_of_shape).summary


def test_nobody_was_faster_on_average_than_at_most() -> None:
    points = without(a_run(600, speed=3.0), "speed")
    summary = of_the_devices_totals(points, max_speed_mps=0.4)
    assert summary.max_speed_mps == summary.average_speed_mps == 3.0


def test_without_a_power_meter_there_is_no_power_and_energy_has_no_long_tail() -> None:
    points = [replace(point, power=0) for point in a_run(600)]
    summary = of_the_devices_totals(points, calories_kcal=457.99999973619197)
    assert (summary.average_power_w, summary.calories_kcal) == (None, 458.0)


def test_a_session_without_samples_is_what_its_totals_say() -> None:
    analysis = analysed(fit(Session([], start=START, elapsed=1800, distance=400)))
    assert (analysis.summary.elapsed_s, analysis.summary.distance_m, analysis.streams) == (1800.0, 400.0, None)
    with pytest.raises(NotAnActivity, match="fewer than two points"):
        analysed(fit(Session([], start=START, elapsed=0)))


def test_disorder_is_put_in_order() -> None:
    points = a_run(300)
    jumbled = [*points[150:], *points[:150], *points[100:110]]
    assert analysed(gpx(jumbled)).summary == analysed(gpx(points)).summary


def test_of_a_clock_that_was_set_the_longer_part_counts() -> None:
    before = a_run(20, start=datetime(2017, 1, 1, tzinfo=UTC))
    summary = analysed(gpx([*before, *a_run(300)])).summary
    assert (summary.started_at, summary.elapsed_s) == (START, 300.0)


def test_a_month_is_no_activity() -> None:
    points = [Point(START + timedelta(days=n / 2), lat=48.0 + n / 1e4, lon=2.0) for n in range(70)]
    with pytest.raises(NotAnActivity, match="31 days"):
        analysed(gpx(points))


@pytest.mark.parametrize(
    ("start", "lat", "lon", "zone", "day"),
    [
        (datetime(2026, 5, 1, 14, 30, tzinfo=UTC), 35.68, 139.77, "Asia/Tokyo", date(2026, 5, 1)),
        (datetime(2026, 5, 1, 15, 30, tzinfo=UTC), 35.68, 139.77, "Asia/Tokyo", date(2026, 5, 2)),
        (datetime(2026, 5, 2, 5, 30, tzinfo=UTC), 37.77, -122.42, "America/Los_Angeles", date(2026, 5, 1)),
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 52.52, 13.4, "Europe/Berlin", date(2026, 3, 29)),
    ],
    ids=["23:30 in Tokyo", "after midnight in Tokyo", "late in San Francisco", "the night the clocks change"],
)
def test_a_run_counts_on_the_date_it_had_where_it_was(
    start: datetime, lat: float, lon: float, zone: str, day: date
) -> None:
    summary = analysed(gpx(a_run(120, start=start, lat=lat, lon=lon))).summary
    assert (summary.timezone, summary.local_date) == (zone, day)


@pytest.mark.parametrize(
    ("offset", "zone"),
    [(None, "UTC"), (0, "UTC"), (32_400, "Etc/GMT-9"), (-18_000, "Etc/GMT+5"), (19_800, "Asia/Kolkata")],
)
def test_without_a_place_the_devices_own_clock_tells_the_zone(offset: int | None, zone: str) -> None:
    assert zone_of_offset(offset) == zone
    late = datetime(2026, 5, 1, 23, 0, tzinfo=UTC)
    assert local_date_of(late, zone) == (late + timedelta(seconds=offset or 0)).date()


def test_laps_and_splits_cover_the_whole() -> None:
    analysis = analysed(fit(Session(a_run(1800), lap_starts=[0, 500, 1200])))
    assert [lap.start_s for lap in analysis.laps] == [0, 500, 1200]
    assert [lap.distance_m for lap in analysis.laps] == [1500, 2100, 1800]
    assert [lap.average_speed_mps for lap in analysis.laps] == [3, 3, 3]
    assert splits_of(analysis) == [1000] * 5 + [400]
    assert splits_of(analysis, "mi") == pytest.approx([1609.344] * 3 + [571.968])
    assert analysis.splits is not None
    assert analysis.splits["km"][1].start_s == pytest.approx(333.333, abs=0.01)


def test_a_tcx_lap_that_begins_before_its_first_sample_is_no_lap_of_its_own() -> None:
    points = a_run(600)
    late = tcx([points]).replace(b'StartTime="2026-03-01T07:00:00', b'StartTime="2026-03-01T06:59:59')
    assert len(analysed(late).laps) == 1


def test_a_file_without_a_sport_is_a_run_unless_it_was_faster() -> None:
    assert analysed(gpx(a_run(600), kind=None)).summary.sport == "running"
    assert analysed(gpx(a_run(600, speed=20.0), kind=None)).summary.sport == "other"


@pytest.mark.parametrize(
    ("lat", "north_km", "east_km"),
    [
        (0, 110.574, 111.320),
        (15, 110.649, 107.550),
        (30, 110.852, 96.486),
        (45, 111.132, 78.847),
        (60, 111.412, 55.800),
    ],
)
def test_a_degree_is_as_long_as_on_wgs_84(lat: float, north_km: float, east_km: float) -> None:
    # the published lengths of a degree centred at each latitude
    north = lengths_m(np.linspace(lat - 0.5, lat + 0.5, 101), np.zeros(101)).sum()
    east = lengths_m(np.full(101, float(lat)), np.linspace(-0.5, 0.5, 101)).sum()
    assert (north / 1000, east / 1000) == (pytest.approx(north_km, abs=6e-4), pytest.approx(east_km, abs=6e-4))


def test_the_short_way_is_over_the_date_line() -> None:
    assert lengths_m(np.array([0.0, 0.0]), np.array([179.999, -179.999]))[0] == pytest.approx(222.64, abs=0.01)


def test_bounds_over_the_date_line_are_narrow() -> None:
    bounds = bounds_of(np.array([-17.0, -16.0]), np.array([179.9, -179.9]))
    assert (bounds.west, bounds.east) == (179.9, -179.9)


def test_a_polyline_is_googles() -> None:
    # the example of the format's documentation
    assert (
        encoded(np.array([38.5, 40.7, 43.252]), np.array([-120.2, -120.95, -126.453])) == "_p~iF~ps|U_ulLnnqC_mqNvxq`@"
    )


def test_altitude_jumps_of_a_settling_barometer_are_not_climbed() -> None:
    points = [replace(p, altitude=100.0 + (0 if n > 5 else -500 + 100 * n)) for n, p in enumerate(a_run(600))]
    assert analysed(gpx(points)).summary.ascent_m == 0


def test_nothing_is_found_in_an_empty_recording() -> None:
    with pytest.raises(NotAnActivity):
        analyse(Recording(format="gpx", time=np.array([])), zone_at=zone_at, rows_of_shape=rows_of_shape)
