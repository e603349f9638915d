"""What is hidden leaves no trace: not where it was, how long it took, nor how far it went."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.activities.domain.activity import Activity, Source
from services.activities.domain.geodesy import distances_m
from services.activities.domain.privacy import (
    METRES_A_DEGREE,
    Circle,
    NewZone,
    Shown,
    hidden_rows,
    hiding,
    shown,
    zone_of,
)
from services.activities.domain.streams import Streams
from services.activities.formats.gpx_writing import gpx_of
from services.activities.shapes import rows_of_shape
from services.chassis.problems import Invalid

AT = datetime(2026, 3, 1, 7, tzinfo=UTC)
HOME = Circle(48.85, 2.35, 400)
KEY = b"k" * 32


def metres_from(lat: float, lon: float, circle: Circle) -> float:
    return float(distances_m(np.array([lat]), np.array([lon]), circle.lat, circle.lon)[0])


def track(*legs: tuple[float, float, int], started_at: datetime = AT, **options: Any) -> tuple[Activity, Streams]:
    """A run of (metres east of home, metres north of home, seconds to get there) from the first one on, a sample a second."""
    east, north = [legs[0][0]], [legs[0][1]]
    for to_east, to_north, seconds in legs[1:]:
        east += np.linspace(east[-1], to_east, seconds + 1)[1:].tolist()
        north += np.linspace(north[-1], to_north, seconds + 1)[1:].tolist()
    time = np.arange(len(east), dtype=float)
    steps = np.hypot(np.diff(east), np.diff(north))
    lat = HOME.lat + np.array(north) / METRES_A_DEGREE
    lon = HOME.lon + np.array(east) / (METRES_A_DEGREE * math.cos(math.radians(HOME.lat)))
    distance = np.concatenate(([0.0], np.cumsum(steps.round(2)))).round(2)  # as it is kept
    away = np.hypot(east, north)
    series = {
        "lat": lat,
        "lon": lon,
        "distance": distance,
        "altitude": 100 + away / 100,
        "heart_rate": 130 + np.floor(away / 500),
        "cadence": np.full(len(east), 170.0),
    }
    activity = Activity(
        id="a",
        owner="o",
        version=1,
        source=Source("file", format="gpx"),
        created_at=AT,
        updated_at=AT,
        sport="running",
        title="Run",
        started_at=started_at,
        timezone="Europe/Paris",
        local_date=AT.date(),
        distance_m=float(distance[-1]),
        elapsed_s=float(time[-1]),
        moving_s=float(time[-1]),
        calories_kcal=500,
        ascent_m=777,
        laps_count=9,
    )
    return activity, Streams(time, {**series, **options})


def seen(of: tuple[Activity, Streams], *circles: Circle) -> Shown:
    return shown(*of, hidden_rows(of[1], circles), rows_of_shape)


def everything(one: Shown) -> Any:
    """All that can be told of what is shown, in each representation."""
    if one.analysis is None:
        return None
    streams = one.analysis.streams
    assert streams is not None
    columns = {name: column.tolist() for name, column in {"time": streams.time, **streams.series}.items()}
    gpx = b"".join(gpx_of(streams, one.breaks, one.analysis.summary))
    parts = one.analysis.laps, one.analysis.splits, one.analysis.best_efforts
    return msgspec.json.encode((one.analysis.summary, columns, parts, gpx.decode()))


def test_the_hidden_circle_covers_the_one_asked_for_wherever_it_lies() -> None:
    for number in range(300):
        hidden = hiding(HOME, f"runner-{number}", KEY)
        assert hidden.radius_m == 800
        assert metres_from(hidden.lat, hidden.lon, HOME) <= 400 * 1.003


def test_who_finds_the_circle_learns_no_more_than_that_the_place_is_in_its_middle_half() -> None:
    east = math.cos(math.radians(HOME.lat))
    circles = [hiding(HOME, f"runner-{number}", KEY) for number in range(2000)]
    away = [metres_from(circle.lat, circle.lon, HOME) for circle in circles]
    # as far away as points that are spread evenly over a disk: half of them beyond 0.71 of its radius
    assert np.median(away) == pytest.approx(400 / math.sqrt(2), rel=0.05)
    assert np.mean(np.array(away) < 100) == pytest.approx(1 / 16, abs=0.02)
    bearings = [math.atan2((circle.lon - HOME.lon) * east, circle.lat - HOME.lat) for circle in circles]
    assert np.histogram(bearings, bins=8, range=(-math.pi, math.pi))[0].min() > 200


def test_making_a_zone_again_tells_nothing_new() -> None:
    assert hiding(HOME, "runner", KEY) == hiding(HOME, "runner", KEY)
    assert hiding(HOME, "runner", KEY) != hiding(HOME, "other", KEY)
    beside = Circle(HOME.lat + 0.00005, HOME.lon, 400)
    moved = hiding(beside, "runner", KEY).lat - hiding(HOME, "runner", KEY).lat
    assert moved == pytest.approx(0.00005), "all of it moves alike: what lies between the two is not told"


def test_fitting_a_circle_to_where_many_runs_appear_finds_not_the_place() -> None:
    """The attack of Hassan et al. (USENIX Security 2018), on twenty runs in all directions."""
    misses = []
    for number in range(40):
        hidden = hiding(HOME, f"runner-{number}", KEY)
        cuts = []
        for direction in np.linspace(0, 2 * math.pi, 20, endpoint=False):
            run = track((0, 0, 0), (3000 * math.cos(direction), 3000 * math.sin(direction), 1000))
            analysis = seen(run, hidden).analysis
            assert analysis is not None
            assert analysis.streams is not None
            cuts.append((analysis.streams.series["lat"][0], analysis.streams.series["lon"][0]))
        lat, lon = np.array(cuts).T
        scale = math.cos(math.radians(HOME.lat))
        x, y = (lon - HOME.lon) * METRES_A_DEGREE * scale, (lat - HOME.lat) * METRES_A_DEGREE
        a, b, _ = np.linalg.lstsq(np.column_stack((2 * x, 2 * y, np.ones(20))), x**2 + y**2, rcond=None)[0]
        misses.append(math.hypot(a, b))
    assert np.median(misses) > 200
    assert max(misses) < 420


Legs = list[tuple[float, float, int]]
INSIDE = st.lists(st.tuples(st.integers(-250, 250), st.integers(-250, 250), st.integers(1, 60)), max_size=4)


@settings(max_examples=25, deadline=None)
@given(before=INSIDE, between=INSIDE, after=INSIDE)
def test_two_runs_that_differ_only_where_it_is_hidden_are_shown_alike(before: Legs, between: Legs, after: Legs) -> None:
    """Whatever is done at home, before, after or in the middle: nothing that is shown depends on it."""

    def legs(before: Legs, between: Legs, after: Legs) -> Legs:
        out: Legs = [(490, 0, 20), (600, 0, 30), (1500, 0, 300), (600, 300, 300), (400, 200, 60)]
        back: Legs = [(-400, 0, 90), (-600, 0, 60), (-1500, 100, 300), (-600, 0, 300), (-490, 0, 30)]
        return [(0, 0, 0), *before, *out, *between, *back, *after]

    circle = Circle(HOME.lat, HOME.lon, 500)
    plain = track(*legs([], [], []))
    other, streams = track(
        *legs(before, between, after), started_at=AT - timedelta(seconds=sum(seconds for *_, seconds in before))
    )
    told = {"distance_m": 1, "elapsed_s": 2, "moving_s": 3, "calories_kcal": 4, "ascent_m": 5, "laps_count": 6}
    other = msgspec.structs.replace(other, **told)
    assert everything(seen(plain, circle)) == everything(seen((other, streams), circle))


def test_numbers_are_of_what_is_seen_and_begin_at_zero() -> None:
    run = track((0, 0, 0), (3000, 0, 1000), (0, 0, 1000))
    circle = Circle(HOME.lat, HOME.lon, 600)
    one = seen(run, circle)
    assert one.analysis is not None
    summary, streams = one.analysis.summary, one.analysis.streams
    assert streams is not None
    assert summary.distance_m == pytest.approx(4800, rel=2e-3)
    assert summary.elapsed_s == pytest.approx(1600, abs=3)
    first = int(np.flatnonzero(~hidden_rows(run[1], [circle]))[0])
    assert summary.started_at == AT + timedelta(seconds=first)
    assert (summary.calories_kcal, summary.laps_count) == (None, 1)
    assert (streams.time[0], streams.series["distance"][0]) == (0, 0)
    assert np.median(streams.series["cadence"]) == 170
    assert [split.distance_m for split in (one.analysis.splits or {})["km"]][:4] == pytest.approx([1000] * 4)


@pytest.mark.parametrize("unknown", [(0, 30), (150, 260), (1900, 2001)])
def test_points_of_unknown_place_next_to_hidden_ones_are_hidden(unknown: tuple[int, int]) -> None:
    run = track((0, 0, 0), (3000, 0, 1000), (0, 0, 1000))
    places = {name: run[1].series[name].copy() for name in ("lat", "lon")}
    for column in places.values():
        column[slice(*unknown)] = np.nan
    hidden = hidden_rows(Streams(run[1].time, {**run[1].series, **places}), [Circle(HOME.lat, HOME.lon, 600)])
    assert hidden[slice(*unknown)].all()


def test_without_places_or_zones_nothing_is_hidden() -> None:
    _, streams = track((0, 0, 0), (3000, 0, 1000))
    indoors = Streams(streams.time, {"heart_rate": streams.series["heart_rate"]})
    assert not hidden_rows(indoors, [HOME]).any()
    assert not hidden_rows(streams, []).any()


@pytest.mark.parametrize("keep", [0, 1])
def test_where_hardly_anything_is_left_there_is_nothing_to_see(keep: int) -> None:
    run = track((0, 0, 0), (300, 0, 100))
    hidden = np.ones(len(run[1].time), dtype=np.bool_)
    hidden[:keep] = False
    assert shown(*run, hidden, rows_of_shape).analysis is None


def test_a_zone_over_the_date_line_hides_on_both_sides() -> None:
    line = Circle(0.0, 179.9999, 400)
    streams = Streams(np.arange(2.0), {"lat": np.zeros(2), "lon": np.array([179.999, -179.999])})
    assert hidden_rows(streams, [line]).all()
    assert -180 <= hiding(line, "runner", KEY).lon < 180


def test_a_zone_has_a_name() -> None:
    make: Callable[[str], Any] = lambda name: zone_of(NewZone(name, 1, 2), owner="o", zone_id="z", now=AT, key=KEY)  # noqa: E731
    assert make(" At  home ").name == "At home"
    with pytest.raises(Invalid):
        make("  ")
