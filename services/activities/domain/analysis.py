"""From a recording to what a runner wants to know of it. Pure; run in a worker process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from services.activities.domain.activity import Summary
from services.activities.domain.climbing import climbs_along, flat_distance_along, heights_along
from services.activities.domain.efforts import Effort, best_efforts
from services.activities.domain.geodesy import Bounds, bounds_of, encoded
from services.activities.domain.heart_rates import HeartRates, heart_rates, held_along
from services.activities.domain.local_time import known_zone, local_date_of, moment, title_for, zone_of_offset
from services.activities.domain.movement import distance_along, moving_along, speed_along, usual_top_speed
from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Floats, Origin, Recording, Rows
from services.activities.domain.samples import EARLIEST_S, LATEST_S, LONGEST_S, Samples, filled, orderly
from services.activities.domain.segments import Progress, Segment, laps, ratio, rounded, splits
from services.activities.domain.sports import Sport, Traits, guessed, traits_of
from services.activities.domain.streams import DECIMALS, Streams

# the time zone at a latitude and longitude; so many rows that keep the shape of columns over a time
ZoneAt: TypeAlias = Callable[[float, float], str | None]
RowsOfShape: TypeAlias = Callable[[Floats, Sequence[Floats], int], Rows]

LONGEST_M = 5_000_000.0
MOST_CLIMBED_M = 100_000.0
MOST_BURNT_KCAL = 100_000.0
_POLYLINE_POINTS = 250
_ALREADY_STEPS_SPM = 120.0  # nobody takes 240 steps a minute for long: a cadence over this counts both legs


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Everything that is kept of one recording. Without samples (a file of totals only) there are no streams."""

    format: Origin
    summary: Summary
    streams: Streams | None = None
    laps: tuple[Segment, ...] = ()
    splits: Mapping[str, tuple[Segment, ...]] | None = None
    best_efforts: tuple[Effort, ...] = ()
    heart_rates: HeartRates | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """The columns that an analysis is made of, all parallel to the samples' time."""

    samples: Samples
    sport: Sport
    series: Mapping[str, Floats]
    progress: Progress
    descent: Floats | None

    @property
    def distance_m(self) -> float | None:
        return float(self.progress.distance[-1]) if self.progress.distance is not None else None


def analyse(recording: Recording, *, zone_at: ZoneAt, rows_of_shape: RowsOfShape) -> Analysis:
    """The analysis of a recording. Raises `NotAnActivity` where it is empty, or longer than an activity can be."""
    samples = orderly(recording)
    if not len(samples.time):
        return _of_totals(recording)
    course = _course(recording, samples)
    lap_parts = laps(course.progress, samples.lap_starts)
    heart_rate = samples.known("heart_rate")
    zone, (polyline, bounds) = _zone(recording, course.series, zone_at), _line(course, rows_of_shape)
    return Analysis(
        format=recording.format,
        summary=_summary(recording, course, zone, polyline=polyline, bounds=bounds, laps_count=len(lap_parts)),
        streams=Streams(samples.time.round(DECIMALS["time"]), _rounded(course.series)),
        laps=lap_parts,
        splits={unit: splits(course.progress, unit) for unit in ("km", "mi")},
        best_efforts=() if course.distance_m is None else best_efforts(samples.time, course.series["distance"]),
        heart_rates=None if heart_rate is None else heart_rates(samples.time, heart_rate),
    )


def _course(recording: Recording, samples: Samples) -> _Course:
    traits = traits_of(recording.sport)
    distance = distance_along(samples, recording.totals, traits)
    if distance is not None and distance[-1] > LONGEST_M:
        raise NotAnActivity("This recording is longer than 5,000 km")
    moving = moving_along(samples, distance, traits)
    sport = recording.sport or guessed(usual_top_speed(samples, distance))
    heights, ascent, descent = _climbing(samples)
    flat = None
    if traits_of(sport).on_foot and distance is not None and heights is not None:
        flat = flat_distance_along(distance, heights)
    beats, beats_s = _beats(samples)
    progress = Progress(samples.time, moving, distance, ascent, flat, beats, beats_s)
    return _Course(samples, sport, _series(samples, distance, traits_of(sport)), progress, descent)


def _climbing(samples: Samples) -> tuple[Floats | None, Floats | None, Floats | None]:
    """The smoothed heights, and the metres climbed and descended until each sample."""
    recorded = samples.known("altitude")
    if recorded is None:
        return None, None, None
    heights = heights_along(samples.time, filled(samples.time, recorded), samples.breaks)
    return heights, *climbs_along(heights)


def _beats(samples: Samples) -> tuple[Floats | None, Floats | None]:
    """For each sample, the sum of heart rate times seconds until then, and of the seconds with a heart rate."""
    heart_rate = samples.known("heart_rate")
    if heart_rate is None:
        return None, None
    held = held_along(samples.time, heart_rate)
    beats = np.nan_to_num(heart_rate[:-1]) * held
    return np.concatenate(([0.0], np.cumsum(beats))), np.concatenate(([0.0], np.cumsum(held)))


def _series(samples: Samples, distance: Floats | None, traits: Traits) -> dict[str, Floats]:
    series = dict(samples.series)
    speed = speed_along(samples, distance)
    if distance is not None:
        series["distance"] = distance
    else:
        series.pop("distance", None)
    if speed is not None:
        series["speed"] = speed
    if traits.on_foot and "cadence" in series:
        series["cadence"] = _steps(series["cadence"])
    return series


def _steps(cadence: Floats) -> Floats:
    """Steps a minute, from a cadence of one leg, or of both where it is too high for one."""
    counted = cadence[cadence > 0]
    if len(counted) and float(np.median(counted)) > _ALREADY_STEPS_SPM:
        return cadence
    return cadence * 2


def _rounded(series: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: column.round(DECIMALS[name]) for name, column in series.items()}


def _summary(
    recording: Recording, course: _Course, zone: str, *, polyline: str | None, bounds: Bounds | None, laps_count: int
) -> Summary:
    progress, totals, series = course.progress, recording.totals, course.series
    started_at = moment(course.samples.started_at_s)
    distance = course.distance_m if course.distance_m is not None else _within(totals.distance_m, LONGEST_M, 0.0) or 0.0
    moving = float(progress.moving[-1])
    ascent, descent = _last(progress.ascent), _last(course.descent)
    average_speed = ratio(distance or None, moving)
    return Summary(
        sport=course.sport,
        title=recording.title or title_for(course.sport, started_at, zone),
        description=recording.description,
        started_at=started_at,
        timezone=zone,
        local_date=local_date_of(started_at, zone),
        distance_m=round(distance, 2),
        elapsed_s=round(course.samples.elapsed_s, 3),
        moving_s=round(moving, 3),
        ascent_m=rounded(_within(totals.ascent_m, MOST_CLIMBED_M, ascent), 1),
        descent_m=rounded(_within(totals.descent_m, MOST_CLIMBED_M, descent), 1),
        average_speed_mps=rounded(average_speed, 3),
        max_speed_mps=rounded(_max_speed(recording, series, traits_of(course.sport), average_speed), 3),
        average_heart_rate_bpm=rounded(_average_heart_rate(recording, progress), 1),
        max_heart_rate_bpm=_largest(series.get("heart_rate"), totals.max_heart_rate_bpm),
        average_cadence_spm=rounded(_average_cadence(recording, course), 1),
        average_power_w=rounded(_mean(series.get("power"), totals.average_power_w) or None, 1),
        calories_kcal=rounded(_within(totals.calories_kcal, MOST_BURNT_KCAL, None) or None, 1),
        grade_adjusted_speed_mps=rounded(ratio(_last(progress.flat_distance), moving), 3),
        polyline=polyline,
        bounds=bounds,
        device=recording.device,
        laps_count=laps_count,
    )


def _of_totals(recording: Recording) -> Analysis:
    """A session without samples is what its device says in total, a strength workout for example."""
    totals = recording.totals
    elapsed = totals.elapsed_s or totals.timer_s or 0.0
    if recording.started_at_s is None or not 0 < elapsed <= LONGEST_S:
        raise NotAnActivity("This recording has fewer than two points with a time")
    if not EARLIEST_S <= recording.started_at_s <= LATEST_S:
        raise NotAnActivity("This recording has no points with a time, and its start is no date that can be")
    timer = min(totals.timer_s or elapsed, elapsed)
    distance = min(totals.distance_m or 0.0, LONGEST_M)
    sport = recording.sport or guessed(distance / timer)
    started_at, zone = moment(recording.started_at_s), _told_zone(recording)
    return Analysis(
        recording.format,
        Summary(
            sport=sport,
            title=recording.title or title_for(sport, started_at, zone),
            description=recording.description,
            started_at=started_at,
            timezone=zone,
            local_date=local_date_of(started_at, zone),
            distance_m=round(distance, 2),
            elapsed_s=round(elapsed, 3),
            moving_s=round(timer, 3),
            ascent_m=_within(totals.ascent_m, MOST_CLIMBED_M, None),
            descent_m=_within(totals.descent_m, MOST_CLIMBED_M, None),
            average_speed_mps=rounded(ratio(distance or None, timer), 3),
            max_speed_mps=_within(totals.max_speed_mps, traits_of(sport).fastest_mps, None),
            average_heart_rate_bpm=totals.average_heart_rate_bpm or None,
            max_heart_rate_bpm=totals.max_heart_rate_bpm or None,
            average_power_w=totals.average_power_w or None,
            calories_kcal=rounded(_within(totals.calories_kcal, MOST_BURNT_KCAL, None) or None, 1),
            device=recording.device,
        ),
    )


def _zone(recording: Recording, series: Mapping[str, Floats], zone_at: ZoneAt) -> str:
    """The zone of the first known place, else the one that is told, else one that the device's own clock kept."""
    if "lat" in series:
        row = int(np.flatnonzero(~np.isnan(series["lat"]))[0])
        zone = zone_at(float(series["lat"][row]), float(series["lon"][row]))
        if zone:
            return zone
    return _told_zone(recording)


def _told_zone(recording: Recording) -> str:
    return known_zone(recording.timezone or "") or zone_of_offset(recording.utc_offset_s)


def _line(course: _Course, rows_of_shape: RowsOfShape) -> tuple[str | None, Bounds | None]:
    """The track for a small map, and the box around it."""
    lat, lon = course.series.get("lat"), course.series.get("lon")
    if lat is None or lon is None:
        return None, None
    known = ~np.isnan(lat)
    time, lat, lon = course.samples.time[known], lat[known], lon[known]
    bounds = bounds_of(lat, lon)
    if len(time) > _POLYLINE_POINTS:
        rows = rows_of_shape(time, [lat, lon], _POLYLINE_POINTS)
        lat, lon = lat[rows], lon[rows]
    return encoded(lat, lon), bounds


def _average_heart_rate(recording: Recording, progress: Progress) -> float | None:
    if progress.beats is None:
        return recording.totals.average_heart_rate_bpm or None
    return ratio(_last(progress.beats), _last(progress.beats_s))


def _average_cadence(recording: Recording, course: _Course) -> float | None:
    """Over the time in which there was any, as devices have it."""
    cadence = course.series.get("cadence")
    if cadence is not None and (cadence > 0).any():
        return float(cadence[cadence > 0].mean())
    total = recording.totals.average_cadence or None
    return total * 2 if total and traits_of(course.sport).on_foot else total


def _max_speed(
    recording: Recording, series: Mapping[str, Floats], traits: Traits, average: float | None
) -> float | None:
    """What the device says, else the most we measured; nobody was faster on average than at most."""
    speed = series.get("speed")
    plausible = speed[speed <= traits.fastest_mps] if speed is not None else ()
    measured = float(max(plausible)) if len(plausible) else None
    most = _within(recording.totals.max_speed_mps, traits.fastest_mps, measured)
    return most if most is None or average is None else max(most, average)


def _within(total: float | None, most: float, otherwise: float | None) -> float | None:
    """What the device says where it is plausible, else what we measured."""
    return total if total is not None and 0 <= total <= most else otherwise


def _mean(column: Floats | None, otherwise: float | None) -> float | None:
    return float(np.nanmean(column)) if column is not None else otherwise or None


def _largest(column: Floats | None, otherwise: float | None) -> float | None:
    return float(np.nanmax(column)) if column is not None else otherwise or None


def _last(column: Floats | None) -> float | None:
    return float(column[-1]) if column is not None else None
