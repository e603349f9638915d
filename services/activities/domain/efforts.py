"""Best efforts: the fastest stretch of each usual racing distance inside an activity."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from services.activities.domain.recording import Floats
from services.activities.domain.segments import time_at

DISTANCES_M = (400.0, 1000.0, 1609.344, 3000.0, 5000.0, 10_000.0, 15_000.0, 21_097.5, 42_195.0)


class Effort(Struct, frozen=True):
    """The fastest stretch of a distance: how long it took, pauses included, and when it began."""

    distance_m: float
    elapsed_s: float
    start_s: float


def best_efforts(time: Floats, distance: Floats) -> tuple[Effort, ...]:
    """The best effort of each distance that the activity is long enough for."""
    return tuple(best_effort(time, distance, length) for length in DISTANCES_M if length <= distance[-1])


def best_effort(time: Floats, distance: Floats, length_m: float) -> Effort:
    """The fastest stretch of this length, exactly: on straight lines between samples it begins or ends at a sample."""
    begins = distance <= distance[-1] - length_m
    ends = distance >= length_m
    # from each sample on, leaving it as late as it still is at its place; and up to each sample
    from_sample = time_at(time, distance, distance[begins] + length_m) - time[begins]
    to_sample = time[ends] - _last_time_at(time, distance, distance[ends] - length_m)
    if len(from_sample) and from_sample.min() <= to_sample.min():
        row = int(from_sample.argmin())
        elapsed, start = float(from_sample[row]), float(time[begins][row])
    else:
        row = int(to_sample.argmin())
        elapsed = float(to_sample[row])
        start = float(time[ends][row]) - elapsed
    return Effort(length_m, round(elapsed, 2), round(start, 2))


def _last_time_at(time: Floats, distance: Floats, marks: Floats) -> Floats:
    """When each mark was left, by straight lines between samples."""
    before = np.clip(np.searchsorted(distance, marks, side="right") - 1, 0, len(distance) - 2)
    step = distance[before + 1] - distance[before]
    share = np.where(step > 0, (marks - distance[before]) / np.where(step > 0, step, 1.0), 1.0)
    return np.asarray(time[before] + np.clip(share, 0.0, 1.0) * (time[before + 1] - time[before]))
