"""Streams: what was measured along an activity, in parallel columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.activities.domain.recording import SERIES, Floats, Rows

# Decimals that each series is kept and shown with.
DECIMALS: Mapping[str, int] = {
    "time": 3,
    "distance": 2,
    "altitude": 2,
    "heart_rate": 0,
    "cadence": 1,
    "power": 0,
    "speed": 3,
    "lat": 7,
    "lon": 7,
}


@dataclass(frozen=True, slots=True, eq=False)
class Streams:
    """Seconds from the start, and the columns parallel to it: only those that are known, NaN where a point is not."""

    time: Floats
    series: Mapping[str, Floats]

    def only(self, names: Sequence[str]) -> Streams:
        """The streams of these names, as far as there are such."""
        return Streams(self.time, {name: self.series[name] for name in SERIES if name in names and name in self.series})

    def at(self, rows: Rows) -> Streams:
        """The streams of these rows only."""
        return Streams(self.time[rows], {name: column[rows] for name, column in self.series.items()})


NO_STREAMS = Streams(np.zeros(0), {})
