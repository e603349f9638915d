"""Load, zones, fitness and records: against values that were published, and against what must hold whatever comes."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.activities.domain.activity import Activity, Source
from services.activities.domain.fitness import REMEMBERED, form_along
from services.activities.domain.heart_rates import HeartRates, heart_rates, steady
from services.activities.domain.load import load_of, trimp
from services.activities.domain.physiology import UNTOLD, Physiology
from services.activities.domain.records import KEPT, Achievement, Ladders, Runs, changed
from services.activities.domain.zones import zones

DAY = date(2026, 5, 4)
NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
MAN = Physiology(sex="male", max_hr_bpm=200, rest_hr_bpm=40)


def activity(**changes: Any) -> Activity:
    fields: dict[str, Any] = {
        "id": "a",
        "owner": "ann",
        "version": 1,
        "sport": "running",
        "title": "Run",
        "started_at": NOW,
        "timezone": "UTC",
        "local_date": DAY,
        "distance_m": 5400.0,
        "elapsed_s": 1800.0,
        "moving_s": 1800.0,
        "average_speed_mps": 3.0,
        "source": Source("file"),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Activity(**(fields | changes))


# -- load


def test_half_an_hour_at_130_is_banisters_31_80() -> None:
    assert load_of(activity(), steady(130, 1800), MAN) == (31.80, "heart_rate")


@pytest.mark.parametrize(
    ("sex", "expected"),
    [
        ("male", 60 * 0.75 * 0.64 * math.exp(1.92 * 0.75)),
        ("female", 60 * 0.75 * 0.86 * math.exp(1.67 * 0.75)),
    ],
)
def test_the_impulse_is_that_of_the_sex(sex: Any, expected: float) -> None:
    assert trimp(60, 0.75, sex) == pytest.approx(expected)


def test_where_the_sex_is_not_told_the_impulse_is_between_the_two() -> None:
    assert trimp(60, 0.75, "male") < trimp(60, 0.75, None) < trimp(60, 0.75, "female")


def test_intervals_count_more_than_their_average() -> None:
    intervals = HeartRates(110, (*[900_000], *[0] * 79, 900_000))  # a quarter of an hour each at 110 and 190
    (even, _), (hard, _) = load_of(activity(), steady(150, 1800), MAN), load_of(activity(), intervals, MAN)
    assert even is not None
    assert hard is not None
    assert hard > even


def test_without_a_highest_rate_the_age_tells_it() -> None:
    assert Physiology(born_on=date(1986, 5, 4)).highest_bpm(DAY) == 180.0  # Tanaka: 40 years
    assert Physiology(born_on=date(1986, 5, 4), max_hr_bpm=191).highest_bpm(DAY) == 191
    assert Physiology(born_on=date(2030, 1, 1)).highest_bpm(DAY) is None


@pytest.mark.parametrize(
    ("rates", "physiology"),
    [(None, MAN), (steady(130, 1800), UNTOLD), (steady(130, 1800), Physiology(max_hr_bpm=190))],
    ids=["no heart rate", "no profile", "no rate at rest"],
)
def test_what_the_heart_does_not_tell_the_pace_does(rates: HeartRates | None, physiology: Physiology) -> None:
    load, load_from = load_of(activity(), rates, physiology)
    assert load_from == "pace"
    assert load is not None
    assert load > 0


def test_an_hour_at_the_threshold_is_the_same_by_pace_and_by_heart_rate() -> None:
    runner = Physiology(sex="male", max_hr_bpm=200, rest_hr_bpm=40, threshold_speed_mps=4.0)
    run = activity(moving_s=3600.0, average_speed_mps=4.0)
    by_pace = load_of(run, None, runner)
    by_heart = load_of(run, steady(40 + 0.88 * 160, 3600), runner)
    assert (by_pace[1], by_heart[1]) == ("pace", "heart_rate")
    assert by_pace[0] == pytest.approx(by_heart[0], rel=0.01)


def test_hills_count_in_a_pace() -> None:
    uphill = activity(grade_adjusted_speed_mps=3.6)
    assert (load_of(uphill, None, UNTOLD)[0] or 0) > (load_of(activity(), None, UNTOLD)[0] or 0)


def test_the_pace_of_a_ride_tells_nothing() -> None:
    assert load_of(activity(sport="cycling"), None, MAN) == (None, None)
    assert load_of(activity(sport="cycling"), steady(130, 1800), MAN) == (31.80, "heart_rate")
    assert load_of(activity(average_speed_mps=None), None, MAN) == (None, None)


# -- heart rates, zones


def test_a_heart_rate_lasts_until_the_next_and_not_over_a_silence() -> None:
    time = np.array([0.0, 1.0, 3.0, 500.0, 501.0])
    rates = heart_rates(time, np.array([120.0, 121.4, 120.0, np.nan, 150.0]))
    assert rates is not None
    assert rates.items() == [(120, 31.0), (121, 2.0)]
    assert heart_rates(time, np.full(5, np.nan)) is None


def test_zones_are_tenths_of_the_reserve_and_hold_every_second() -> None:
    rates = HeartRates(100, tuple([1000] * 101))  # a second at each of 100 to 200
    found = zones(rates, MAN, DAY)
    assert [(zone.zone, zone.from_bpm, zone.to_bpm) for zone in found] == [
        (1, 0, 136),
        (2, 136, 152),
        (3, 152, 168),
        (4, 168, 184),
        (5, 184, 200),
    ]
    assert [zone.elapsed_s for zone in found] == [36, 16, 16, 16, 17]


def test_without_a_rate_at_rest_zones_are_tenths_of_the_highest() -> None:
    found = zones(steady(150, 60), Physiology(max_hr_bpm=200), DAY)
    assert [zone.from_bpm for zone in found] == [0, 120, 140, 160, 180]
    assert zones(steady(150, 60), Physiology(rest_hr_bpm=50), DAY) == ()
    assert zones(None, MAN, DAY) == ()


# -- fitness


def test_a_constant_load_of_100_gives_63_21_after_each_time_constant() -> None:
    loads = {DAY + timedelta(days=n): 100.0 for n in range(42)}
    days = form_along(loads, DAY, DAY, DAY + timedelta(days=41))
    assert days[-1].fitness == pytest.approx(63.21, abs=0.005)
    assert days[6].fatigue == pytest.approx(63.21, abs=0.005)
    assert all(day.form == pytest.approx(day.fitness - day.fatigue, abs=0.011) for day in days)


def test_rest_brings_form() -> None:
    loads = {DAY + timedelta(days=n): 100.0 for n in range(60)}
    days = form_along(loads, DAY, DAY, DAY + timedelta(days=80))
    assert days[59].form < 0 < days[-1].form


def test_what_is_not_remembered_changes_nothing() -> None:
    long_ago = {DAY - timedelta(days=n): 300.0 for n in range(2000)}
    whole = form_along(long_ago, DAY - timedelta(days=2000), DAY, DAY)
    assert form_along(long_ago, DAY - REMEMBERED, DAY, DAY) == whole


# -- records


def a_run(number: int, elapsed_s: float, sport: Any = "running") -> Runs:
    return Runs(f"{number:03d}", sport, DAY + timedelta(days=number), ((5000.0, elapsed_s),))


def best(ladders: Ladders) -> list[Achievement]:
    return [ladder.best[0] for ladder in ladders.values() if ladder.best]


def test_the_fastest_holds_the_record_and_of_equal_ones_the_first() -> None:
    ladders = changed({}, (), [a_run(2, 1500), a_run(1, 1500), a_run(0, 1600), a_run(3, 1400, "cycling")])
    assert best(ladders) == [Achievement(1500, DAY + timedelta(days=1), "001")]


def test_when_the_record_goes_the_next_best_holds_it() -> None:
    runs = [a_run(n, 1500 + n) for n in range(5)]
    ladders = changed({}, (), runs)
    assert best(changed(ladders, [runs[0]], ()))[0].activity_id == "001"
    assert changed(ladders, runs, ()) == {}


def test_a_change_of_neither_sport_nor_efforts_changes_nothing() -> None:
    runs = [a_run(n, 1500 + n) for n in range(KEPT + 5)]
    ladders = changed({}, (), runs)
    assert changed(ladders, [runs[0]], [runs[0]]) is ladders


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(1, 30)), max_size=120))
def test_a_ladder_knows_the_best_or_that_it_does_not(changes: list[tuple[bool, int, int]]) -> None:
    there: dict[int, Runs] = {}
    ladders: Ladders = {}
    for comes, number, elapsed_s in changes:
        if comes and number not in there:
            there[number] = a_run(number, elapsed_s)
            ladders = changed(ladders, (), [there[number]])
        elif not comes and number in there:
            ladders = changed(ladders, [there.pop(number)], ())
        if any(ladder.is_lost for ladder in ladders.values()):
            ladders = changed({}, (), there.values())
        assert best(ladders) == best(changed({}, (), there.values()))
