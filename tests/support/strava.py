"""Runs as the service that talks to Strava hands them over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from services.activities.domain.strava import StravaRun
from tests.support.recordings import Point, iso


def strava_run(points: Sequence[Point], **told: Any) -> dict[str, Any]:
    """A run with these samples, and what else is told of it; with `streams=None` only its totals."""
    begin, end = points[0], points[-1]
    seconds = (end.at - begin.at).total_seconds()
    columns = {
        "lat_deg": [point.lat for point in points],
        "lon_deg": [point.lon for point in points],
        "distance_m": [point.distance for point in points],
        "altitude_m": [point.altitude for point in points],
        "heart_rate_bpm": [point.heart_rate for point in points],
        "cadence_rpm": [point.cadence for point in points],
        "power_w": [point.power for point in points],
    }
    known = {name: column for name, column in columns.items() if any(value is not None for value in column)}
    return {
        "title": "Lunch Run",
        "sport_type": "Run",
        "started_at": iso(begin.at),
        "timezone": "Europe/Paris",
        "distance_m": end.distance or 0.0,
        "elapsed_s": seconds,
        "moving_s": seconds,
        "streams": {"time_s": [(point.at - begin.at).total_seconds() for point in points], **known},
        **told,
    }


def told_run(points: Sequence[Point], **told: Any) -> StravaRun:
    """The same as it arrives."""
    return msgspec.json.decode(msgspec.json.encode(strava_run(points, **told)), type=StravaRun)
