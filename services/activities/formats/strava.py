"""A run as Strava told it, as it was written down here (`domain/strava.py`). It comes to us by no upload."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Floats, Recording, Totals
from services.activities.domain.samples import FASTEST_BPM, SLOWEST_BPM
from services.activities.domain.strava import Measured, StravaStreams
from services.activities.formats.limits import SAMPLES
from services.activities.formats.sport_names import sport_named
from services.activities.formats.xml import one_line

_COLUMNS = {
    "lat_deg": "lat",
    "lon_deg": "lon",
    "distance_m": "distance",
    "altitude_m": "altitude",
    "speed_mps": "speed",
    "heart_rate_bpm": "heart_rate",
    "cadence_rpm": "cadence",
    "power_w": "power",
}


class _Written(Measured, frozen=True, kw_only=True):
    runnerly: Literal["strava-run"]
    version: Literal[1]
    streams: StravaStreams | None = None  # type: ignore[assignment]  # read at last


def read_strava(content: bytes) -> list[Recording]:
    """The one recording of it. Raises `NotAnActivity` where it is not what it should be."""
    try:
        told = msgspec.json.decode(content, type=_Written)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnActivity(f"This is not as we write down what Strava tells: {error}") from None
    start = told.started_at.timestamp()
    time, series = _columns(told.streams, start) if told.streams else (np.zeros(0), {})
    return [
        Recording(
            format="strava",
            time=time,
            series=series,
            sport=sport_named(told.sport_type),
            started_at_s=start,
            totals=Totals(
                distance_m=told.distance_m or None,
                elapsed_s=told.elapsed_s or None,
                timer_s=told.moving_s or None,
                ascent_m=told.ascent_m,
                calories_kcal=told.calories_kcal,
                average_heart_rate_bpm=_heart_rate(told.average_heart_rate_bpm),
                max_heart_rate_bpm=_heart_rate(told.max_heart_rate_bpm),
                average_cadence=told.average_cadence_rpm,
                average_power_w=told.average_power_w,
            ),
            device=one_line(told.device),
            timezone=told.timezone,
        )
    ]


def _heart_rate(bpm: float | None) -> float | None:
    return bpm if bpm is not None and SLOWEST_BPM <= bpm <= FASTEST_BPM else None


def _columns(streams: StravaStreams, start: float) -> tuple[Floats, dict[str, Floats]]:
    """Unix times, and the columns beside them by our names. Raises `NotAnActivity` where they are not of one length."""
    samples = len(streams.time_s)
    if samples > SAMPLES:
        raise NotAnActivity(f"There are over {SAMPLES} samples")
    series: dict[str, Floats] = {}
    for theirs, ours in _COLUMNS.items():
        column = getattr(streams, theirs)
        if column is not None:
            if len(column) != samples:
                raise NotAnActivity(f"{theirs} has {len(column)} samples, and time_s {samples}")
            series[ours] = np.array(column, dtype=np.float64)
    return start + np.array(streams.time_s, dtype=np.float64), series
