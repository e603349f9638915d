"""What a file says, before any judgement: the common value that every format is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.activities.domain.sports import Sport

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]
Format: TypeAlias = Literal["fit", "gpx", "tcx"]
Origin: TypeAlias = Literal[Format, "strava"]  # a file, or what Strava told of one run

# m, m, bpm, rpm or steps of one leg a minute, W, m/s, degrees, degrees
SERIES = ("distance", "altitude", "heart_rate", "cadence", "power", "speed", "lat", "lon")


class Totals(Struct, frozen=True):
    """What the device itself says of the whole; None where it says nothing."""

    distance_m: float | None = None
    elapsed_s: float | None = None
    timer_s: float | None = None
    ascent_m: float | None = None
    descent_m: float | None = None
    calories_kcal: float | None = None
    average_heart_rate_bpm: float | None = None
    max_heart_rate_bpm: float | None = None
    average_cadence: float | None = None
    average_power_w: float | None = None
    max_speed_mps: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One session of a file, as recorded: unsorted, untrusted, with gaps.

    `time` is in Unix seconds; `series` are columns parallel to it, NaN where nothing was recorded, absent where the
    file has none. `breaks` marks the samples before which the track is interrupted. `pauses` are spans in which the
    device's timer stood still, `lap_starts` when its laps began, all in Unix seconds. `timezone` is an IANA name.
    """

    format: Origin
    time: Floats
    series: Mapping[str, Floats] = field(default_factory=dict)
    sport: Sport | None = None
    started_at_s: float | None = None
    breaks: Flags | None = None
    pauses: tuple[tuple[float, float], ...] = ()
    lap_starts: tuple[float, ...] = ()
    totals: Totals = field(default_factory=Totals)
    title: str | None = None
    description: str | None = None
    device: str | None = None
    utc_offset_s: int | None = None
    timezone: str | None = None
