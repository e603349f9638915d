"""Parts of an activity, laps and splits: what each adds to quantities that only ever rise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from services.activities.domain.recording import Floats

UNIT_M: Mapping[str, float] = {"km": 1000.0, "mi": 1609.344}
_SHORTEST_M = 1.0  # of a last, incomplete split
_SHORTEST_S = 2.0  # of a lap; a device's first lap often begins a second before or after its first sample


class Segment(Struct, frozen=True):
    """A lap or a split. The average speed is over the moving time."""

    index: int
    start_s: float
    elapsed_s: float
    moving_s: float
    distance_m: float | None
    average_heart_rate_bpm: float | None
    ascent_m: float | None
    average_speed_mps: float | None
    grade_adjusted_speed_mps: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """What had been done by each sample, from the start: columns that never fall. `beats` are bpm times seconds."""

    time: Floats
    moving: Floats
    distance: Floats | None
    ascent: Floats | None
    flat_distance: Floats | None
    beats: Floats | None
    beats_s: Floats | None


def splits(progress: Progress, unit: str) -> tuple[Segment, ...]:
    """One segment each kilometre or mile, and what is left over; none where the distance is not known."""
    if progress.distance is None:
        return ()
    total = float(progress.distance[-1])
    marks: Floats = np.arange(1.0, int(total / UNIT_M[unit]) + 1) * UNIT_M[unit]
    if len(marks) and total - marks[-1] < _SHORTEST_M:
        marks = marks[:-1]
    return segments(progress, time_at(progress.time, progress.distance, marks))


def laps(progress: Progress, starts: tuple[float, ...]) -> tuple[Segment, ...]:
    """The laps that begin at these seconds; the first begins with the activity, the last ends with it."""
    end = float(progress.time[-1])
    within = [start for start in starts if _SHORTEST_S < start < end - _SHORTEST_S]
    return segments(progress, np.unique(np.array(within, dtype=np.float64)))


def segments(progress: Progress, edges: Floats) -> tuple[Segment, ...]:
    """The parts between these seconds. Whatever the edges are, the parts add up to the whole."""
    times = np.concatenate(([0.0], edges, [progress.time[-1]]))

    def parts(column: Floats | None) -> list[float | None]:
        if column is None:
            return [None] * (len(times) - 1)
        return list(np.diff(np.interp(times, progress.time, column)).tolist())

    columns = zip(
        times[:-1].tolist(),
        np.diff(times).tolist(),
        parts(progress.moving),
        parts(progress.distance),
        parts(progress.ascent),
        parts(progress.flat_distance),
        parts(progress.beats),
        parts(progress.beats_s),
        strict=True,
    )
    return tuple(
        Segment(
            index=index,
            start_s=round(start, 3),
            elapsed_s=round(elapsed, 3),
            moving_s=round(moving or 0.0, 3),
            distance_m=rounded(distance, 3),
            average_heart_rate_bpm=rounded(ratio(beats, beats_s), 1),
            ascent_m=rounded(ascent, 2),
            average_speed_mps=rounded(ratio(distance, moving), 3),
            grade_adjusted_speed_mps=rounded(ratio(flat, moving), 3),
        )
        for index, (start, elapsed, moving, distance, ascent, flat, beats, beats_s) in enumerate(columns)
    )


def time_at(time: Floats, distance: Floats, marks: Floats) -> Floats:
    """When each mark was first reached, by straight lines between samples. Marks must be within the distance."""
    after = np.clip(np.searchsorted(distance, marks, side="left"), 1, len(distance) - 1)
    step = distance[after] - distance[after - 1]
    share = np.where(step > 0, (marks - distance[after - 1]) / np.where(step > 0, step, 1.0), 0.0)
    return np.asarray(time[after - 1] + np.clip(share, 0.0, 1.0) * (time[after] - time[after - 1]))


def ratio(amount: float | None, by: float | None) -> float | None:
    """A quotient, None where either is not known or there is nothing to divide by."""
    return amount / by if amount is not None and by else None


def rounded(value: float | None, digits: int) -> float | None:
    """A number with so many decimals, None staying None."""
    return None if value is None else round(value, digits)
