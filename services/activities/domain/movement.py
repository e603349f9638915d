"""How far, how fast, and when at all: distance, speed and moving time along the samples."""

from __future__ import annotations

import numpy as np

from services.activities.domain.geodesy import lengths_m, reached, without_excursions
from services.activities.domain.recording import Floats, Totals
from services.activities.domain.samples import Samples, averaged, filled
from services.activities.domain.sports import Traits

SPEED_WINDOW_S = 6.0
SMOOTHED_SAMPLES = 1  # to each side, where there is a sample every second or two; see docs/decisions/0009
_OFTEN_S = 2.5


def distance_along(samples: Samples, totals: Totals, traits: Traits) -> Floats | None:
    """Metres from the start at each sample, never falling: the device's, else by places; None without either.

    The device's own total is believed: it is what its display said, after calibration.
    """
    recorded = _recorded_distance(samples)
    if recorded is None:
        return _distance_by_places(samples, traits)
    total, end = totals.distance_m, float(recorded[-1])
    if total and 0.5 < total / end < 2.0:
        return recorded * (total / end)
    return recorded


def _recorded_distance(samples: Samples) -> Floats | None:
    column = samples.known("distance")
    if column is None or np.count_nonzero(~np.isnan(column)) < 2:
        return None
    distance = filled(samples.time, column)
    # some files count from zero again in each lap
    falls = np.flatnonzero((distance[1:] < 0.1 * distance[:-1]) & (distance[:-1] > 50.0)) + 1
    for fall in falls[:1000].tolist():
        distance = np.concatenate((distance[:fall], distance[fall:] + distance[fall - 1]))
    distance = np.maximum.accumulate(distance) - distance[0]
    return distance if distance[-1] > 0 else None


def _distance_by_places(samples: Samples, traits: Traits) -> Floats | None:
    lat, lon = samples.known("lat"), samples.known("lon")
    if lat is None or lon is None:
        return None
    time = samples.time
    rows = np.flatnonzero(~np.isnan(lat))
    if len(rows) < 2:
        return None
    rows = rows[without_excursions(time[rows], lat[rows], lon[rows], traits.fastest_mps)]
    when, lat, lon = time[rows], lat[rows], lon[rows]
    broken_before = np.cumsum(samples.breaks)[rows]
    # over a break, or a jump that nobody can make, nothing was covered that we know of
    breaks = np.diff(broken_before, prepend=broken_before[0]) > 0
    breaks[1:] |= ~reached(when, lat, lon, traits.fastest_mps)
    half = SMOOTHED_SAMPLES if np.median(np.diff(when)) <= _OFTEN_S else 0
    steps = lengths_m(averaged(lat, half, breaks), averaged(np.unwrap(lon, period=360.0), half, breaks))
    steps[breaks[1:]] = 0.0
    along = np.concatenate(([0.0], np.cumsum(steps)))
    return np.interp(time, when, along)


def speed_along(samples: Samples, distance: Floats | None) -> Floats | None:
    """The speed at each sample: the device's where it says it half the time, else by the distance around it."""
    column = samples.known("speed")
    if column is not None and np.count_nonzero(~np.isnan(column)) * 2 >= len(column):
        return column
    return None if distance is None else _speed_by_distance(samples.time, distance)


def usual_top_speed(samples: Samples, distance: Floats | None) -> float:
    """The speed that was passed for a twentieth of the samples only; zero where there is no distance."""
    if distance is None:
        return 0.0
    return float(np.percentile(_speed_by_distance(samples.time, distance), 95))


def _speed_by_distance(time: Floats, distance: Floats) -> Floats:
    begin = np.maximum(time - SPEED_WINDOW_S / 2, 0.0)
    end = np.minimum(time + SPEED_WINDOW_S / 2, time[-1])
    covered = np.interp(end, time, distance) - np.interp(begin, time, distance)
    return np.asarray(covered / np.maximum(end - begin, 1e-3))


def moving_along(samples: Samples, distance: Floats | None, traits: Traits) -> Floats:
    """Moving seconds from the start at each sample: without pauses of the timer, breaks, and standing still."""
    time = samples.time
    active = np.diff(time) - np.diff(_paused_until(samples))
    moves = ~samples.breaks[1:]
    if distance is not None:
        middle = (time[1:] + time[:-1]) / 2
        around = np.interp(middle, time, _speed_by_distance(time, distance))
        straight = np.diff(distance) / np.maximum(active, 1e-3)
        speed = np.where(np.diff(time) > SPEED_WINDOW_S, straight, around)
        moves &= speed >= traits.standing_mps
    return np.concatenate(([0.0], np.cumsum(np.where(moves, np.maximum(active, 0.0), 0.0))))


def _paused_until(samples: Samples) -> Floats:
    """For each sample, how long the timer had stood still until then."""
    if not samples.pauses:
        return np.zeros(len(samples.time))
    edges = np.array(samples.pauses, dtype=np.float64)
    edges[1:, 0] = np.maximum(edges[1:, 0], np.maximum.accumulate(edges[:-1, 1]))  # each begins after the one before
    edges[:, 1] = np.maximum(edges[:, 0], edges[:, 1])
    paused = np.cumsum(edges[:, 1] - edges[:, 0])
    at = np.concatenate(([-np.inf], edges.ravel()))
    until = np.concatenate(([0.0], np.column_stack((np.concatenate(([0.0], paused[:-1])), paused)).ravel()))
    return np.interp(samples.time, at[1:], until[1:], left=0.0, right=float(paused[-1]))
