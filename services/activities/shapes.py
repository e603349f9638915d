"""Fewer points of the same shape, for charts and small maps: largest triangle, three buckets (Steinarsson 2013)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tsdownsample import LTTBDownsampler

from services.activities.domain.recording import Floats, Rows
from services.activities.domain.streams import Streams


def downsampled(streams: Streams, points: int) -> Streams:
    """At most this many points, the first and the last among them, keeping the shape of every series."""
    if len(streams.time) <= points:
        return streams
    return streams.at(rows_of_shape(streams.time, list(streams.series.values()), points))


def rows_of_shape(time: Floats, columns: Sequence[Floats], points: int) -> Rows:
    """Exactly `points` rows, in order, ends included, that keep the shape of all columns.

    The union of what is picked for each column with its share of the points, filled up evenly where columns agree.
    """
    count = len(time)
    picked = np.zeros(count, dtype=np.bool_)
    picked[[0, -1]] = True
    share = (points - 2) // max(len(columns), 1)
    if share > 2:
        for column in columns:
            picked[_lttb(time, column, share)] = True
    missing = points - int(picked.sum())
    if missing > 0:
        rest = np.flatnonzero(~picked)
        picked[rest[np.linspace(0, len(rest) - 1, missing).astype(np.intp)]] = True
    return np.flatnonzero(picked)


def _lttb(time: Floats, column: Floats, points: int) -> Rows:
    known = np.flatnonzero(~np.isnan(column))
    if len(known) <= points:
        return known
    x, y = np.ascontiguousarray(time[known]), np.ascontiguousarray(column[known])
    picked = LTTBDownsampler().downsample(x, y, n_out=points)  # type: ignore[no-untyped-call]
    return np.asarray(known[picked.astype(np.intp)])
