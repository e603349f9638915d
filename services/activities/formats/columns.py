"""Collecting samples while walking a file, and turning them into columns."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Flags, Floats
from services.activities.formats.limits import SAMPLES


class Columns:
    """The samples of one recording as they are read: one row after another, each with what it happens to have."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._broken_at: list[int] = []
        self._rows: dict[str, list[int]] = defaultdict(list)
        self._values: dict[str, list[float]] = defaultdict(list)

    def add_row(self) -> None:
        """Begin the next sample. Raises `NotAnActivity` where there are too many."""
        if len(self.times) >= SAMPLES:
            raise NotAnActivity(f"This file has over {SAMPLES} samples")
        self.times.append(math.nan)

    def set_time(self, unix_s: float) -> None:
        """Say when the present sample was taken."""
        self.times[-1] = unix_s

    def set(self, series: str, value: float) -> None:
        """Set a value of the present sample. The last one said holds."""
        self._rows[series].append(len(self.times) - 1)
        self._values[series].append(value)

    def break_here(self) -> None:
        """Say that the next sample is not connected with the one before."""
        self._broken_at.append(len(self.times))

    def time(self) -> Floats:
        """The times of all samples, NaN where one has none."""
        return np.array(self.times, dtype=np.float64)

    def breaks(self) -> Flags:
        """Which samples are not connected with the one before."""
        flags = np.zeros(len(self.times), dtype=np.bool_)
        flags[[row for row in self._broken_at if 0 < row < len(flags)]] = True
        return flags

    def series(self) -> Mapping[str, Floats]:
        """Every series that has any value, NaN where a sample has none."""
        columns: dict[str, Floats] = {}
        for name, rows in self._rows.items():
            column = np.full(len(self.times), np.nan)
            column[rows] = self._values[name]
            if not np.isnan(column).all():
                columns[name] = column
        return columns
