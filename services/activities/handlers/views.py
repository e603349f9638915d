"""What clients see."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
import numpy as np
from msgspec import Struct

from services.activities.domain.activity import Activity, LoadFrom, Source, Visibility
from services.activities.domain.geodesy import Bounds
from services.activities.domain.recording import Floats
from services.activities.domain.records import Achievement
from services.activities.domain.roll_ups import Amounts
from services.activities.domain.sports import Sport
from services.activities.domain.streams import Streams


class ActivityView(Struct, frozen=True):
    """An activity. What is not known is null."""

    id: str
    sport: Sport
    title: str
    description: str | None
    started_at: datetime
    timezone: str
    local_date: date
    distance_m: float
    elapsed_s: float
    moving_s: float
    ascent_m: float | None
    descent_m: float | None
    average_speed_mps: float | None
    max_speed_mps: float | None
    average_heart_rate_bpm: float | None
    max_heart_rate_bpm: float | None
    average_cadence_spm: float | None
    average_power_w: float | None
    calories_kcal: float | None
    load: float | None
    load_from: LoadFrom | None
    grade_adjusted_speed_mps: float | None
    polyline: str | None
    bounds: Bounds | None
    device: str | None
    source: Source
    gear_id: str | None
    visibility: Visibility
    perceived_exertion: int | None
    laps_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, activity: Activity) -> ActivityView:
        """The view of an activity."""
        return msgspec.convert(activity, cls, from_attributes=True)


class StreamsView(Struct, frozen=True):
    """Parallel columns; `time` is in seconds from the start."""

    points: int
    series: dict[str, list[float | None]]

    @classmethod
    def of(cls, streams: Streams) -> StreamsView:
        """The view of streams."""
        columns = {"time": streams.time, **streams.series}
        return cls(len(streams.time), {name: _listed(column) for name, column in columns.items()})


class StatsView(Struct, frozen=True):
    """What was done in a period; `period` is its first day."""

    period: date
    activities: int
    distance_m: float
    moving_s: float
    elapsed_s: float
    ascent_m: float
    load: float

    @classmethod
    def of(cls, period: date, amounts: Amounts) -> StatsView:
        """The view of what was done in a period."""
        return cls(
            period,
            amounts.activities,
            amounts.distance_mm / 1000,
            amounts.moving_ms / 1000,
            amounts.elapsed_ms / 1000,
            amounts.ascent_mm / 1000,
            amounts.load_milli / 1000,
        )


class RecordView(Struct, frozen=True):
    """The best effort of a distance, and the run it is a part of."""

    distance_m: float
    elapsed_s: float
    activity_id: str
    achieved_on: date

    @classmethod
    def of(cls, distance_m: float, best: Achievement) -> RecordView:
        """The view of the best of a distance."""
        return cls(distance_m, best.elapsed_s, best.activity_id, best.achieved_on)


def _listed(column: Floats) -> list[float | None]:
    """A column as JSON has it: None where a point is not known, whole numbers (written in half the time) where all are."""
    unknown = np.isnan(column)
    if unknown.any():
        return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN
    whole = np.rint(column)
    return list((whole.astype(np.int64) if (whole == column).all() else column).tolist())
