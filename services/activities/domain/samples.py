"""Making a recording orderly: sorted, each moment once, within what is plausible, from zero seconds on.

What is defined for disorder: samples without a time are dropped; the rest are sorted; of samples at the same time the
first holds; a silence of over three days is a clock that was set, and the part with most samples is kept; values that
no device measures are taken as not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Flags, Floats, Recording, Rows

EARLIEST_S, LATEST_S = 631_065_600.0, 4_102_444_800.0  # FIT's epoch, the end of 1989, to the year 2100
CLOCK_WAS_SET_S = 3 * 86_400.0
LONGEST_S = 31 * 86_400.0
SLOWEST_BPM, FASTEST_BPM = 25.0, 250.0

# What is plausible, both ends included; what is outside was not measured but is a device's way to say nothing.
_PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "distance": (0.0, 10_000_000.0),
    "altitude": (-500.0, 12_000.0),
    "heart_rate": (SLOWEST_BPM, FASTEST_BPM),
    "cadence": (0.0, 260.0),
    "power": (0.0, 3_000.0),
    "speed": (0.0, 150.0),
    "lat": (-90.0, 90.0),
    "lon": (-180.0, 180.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """An orderly recording: `time` in seconds from `started_at_s` (Unix), strictly rising from zero."""

    started_at_s: float
    time: Floats
    series: Mapping[str, Floats]
    breaks: Flags
    pauses: tuple[tuple[float, float], ...]
    lap_starts: tuple[float, ...]

    @property
    def elapsed_s(self) -> float:
        """From the first to the last sample."""
        return float(self.time[-1]) if len(self.time) else 0.0

    def known(self, series: str) -> Floats | None:
        """A column, None where there is none."""
        return self.series.get(series)


def orderly(recording: Recording) -> Samples:
    """The samples of a recording in order; none where there are fewer than two. Raises `NotAnActivity` over 31 days."""
    breaks = recording.breaks if recording.breaks is not None else np.zeros(len(recording.time), dtype=np.bool_)
    rows, breaks = _rows_in_order(recording.time, breaks)
    rows, breaks = _main_part(recording.time, rows, breaks)
    if len(rows) < 2:
        rows, breaks = rows[:0], breaks[:0]
    time = recording.time[rows]
    start = float(time[0]) if len(time) else (recording.started_at_s or 0.0)
    if len(time) and time[-1] - start > LONGEST_S:
        raise NotAnActivity("This recording is longer than 31 days")
    return Samples(
        started_at_s=start,
        time=time - start,
        series=_plausible({name: column[rows] for name, column in recording.series.items()}),
        breaks=breaks,
        pauses=tuple((begin - start, end - start) for begin, end in recording.pauses if end > begin),
        lap_starts=tuple(lap - start for lap in recording.lap_starts),
    )


def _rows_in_order(time: Floats, breaks: Flags) -> tuple[Rows, Flags]:
    """The rows with a time, sorted, each moment once; a break before any sample of a moment is one before it."""
    rows = np.flatnonzero((time >= EARLIEST_S) & (time <= LATEST_S))
    rows = rows[np.argsort(time[rows], kind="stable")]
    if not len(rows):
        return rows, breaks[:0]
    firsts = np.flatnonzero(np.diff(time[rows], prepend=-np.inf) > 0)
    return rows[firsts], np.logical_or.reduceat(breaks[rows], firsts)


def _main_part(time: Floats, rows: Rows, breaks: Flags) -> tuple[Rows, Flags]:
    edges = np.flatnonzero(np.diff(time[rows]) > CLOCK_WAS_SET_S) + 1
    if not len(edges):
        return rows, breaks
    bounds = [0, *edges.tolist(), len(rows)]
    begin, end = max(pairwise(bounds), key=lambda part: part[1] - part[0])
    return rows[begin:end], breaks[begin:end]


def _plausible(series: Mapping[str, Floats]) -> dict[str, Floats]:
    plausible: dict[str, Floats] = {}
    for name, column in series.items():
        low, high = _PLAUSIBLE[name]
        plausible[name] = np.where((column >= low) & (column <= high), column, np.nan)
    lat, lon = plausible.pop("lat", None), plausible.pop("lon", None)
    if lat is not None and lon is not None:
        # both exactly zero is a device without a fix, not a run in the Gulf of Guinea
        unknown = np.isnan(lat) | np.isnan(lon) | ((lat == 0.0) & (lon == 0.0))
        plausible |= {"lat": np.where(unknown, np.nan, lat), "lon": np.where(unknown, np.nan, lon)}
    return {name: column for name, column in plausible.items() if not np.isnan(column).all()}


def filled(time: Floats, column: Floats) -> Floats:
    """A column without gaps: straight lines over them, the nearest value at the ends. It must know something."""
    known = ~np.isnan(column)
    return column if known.all() else np.interp(time, time[known], column[known])


def averaged(column: Floats, half: int, breaks: Flags) -> Floats:
    """A centred moving average over up to `half` samples to each side, fewer near ends and breaks."""
    count = len(column)
    if half < 1 or count < 3:
        return column
    index = np.arange(count)
    run_start = np.maximum.accumulate(np.where(breaks, index, 0))
    ends = np.append(np.flatnonzero(breaks[1:]), count - 1)
    run_end = ends[np.searchsorted(ends, index)]
    reach = np.minimum(half, np.minimum(index - run_start, run_end - index))
    total = np.concatenate(([0.0], np.cumsum(column)))
    return np.asarray((total[index + reach + 1] - total[index - reach]) / (2 * reach + 1))
