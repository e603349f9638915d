"""What others see of an activity that is shared: nothing inside a circle around the places its runner wants kept.

`docs/decisions/0036-privacy-zones.md` says against which attacks. In short: the circle that hides is twice as wide as the
one asked for, and its centre lies beside the place, always the same way; whatever is inside is as if it had never been
recorded, and every number is computed anew from what is left.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias

import numpy as np
from msgspec import Meta, Struct

from services.activities.domain.activity import Activity
from services.activities.domain.analysis import Analysis, RowsOfShape, analyse
from services.activities.domain.geodesy import distances_m
from services.activities.domain.plain_text import one_line_in
from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Flags, Floats, Recording
from services.activities.domain.sports import traits_of
from services.activities.domain.streams import Streams

MOST = 20  # zones of one runner
METRES_A_DEGREE = 111_320.0
GAP_S = 1.0  # what the clock shows between two stretches, however long it was
Radius: TypeAlias = Literal[200, 400, 800, 1600]


class Circle(Struct, frozen=True):
    """Everything within so many metres of a place."""

    lat: float
    lon: float
    radius_m: float


class PrivacyZone(Struct, frozen=True, kw_only=True):
    """A place to be kept: `circle` is what its runner asked for, `hidden` what others see nothing of."""

    id: str
    owner: str
    name: str
    circle: Circle
    hidden: Circle
    created_at: datetime


class NewZone(Struct, frozen=True, forbid_unknown_fields=True):
    """A privacy zone as its runner describes it."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    lat: Annotated[float, Meta(ge=-89, le=89)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    radius_m: Radius = 400


def zone_of(new: NewZone, *, owner: str, zone_id: str, now: datetime, key: bytes) -> PrivacyZone:
    """A new zone. Raises `Invalid` for a blank name."""
    name = one_line_in("name", new.name)
    circle = Circle(new.lat, new.lon, new.radius_m)
    return PrivacyZone(
        id=zone_id, owner=owner, name=name, circle=circle, hidden=hiding(circle, owner, key), created_at=now
    )


def hiding(circle: Circle, owner: str, key: bytes) -> Circle:
    """The circle that hides another one: twice as wide, around a point up to its radius away.

    The point is as likely anywhere in the circle, and the same for all circles of a runner that are as wide and
    begin in the same square of the map: making a zone again tells no more than making it once.
    """
    square_lat = math.floor(circle.lat * METRES_A_DEGREE / circle.radius_m)
    metres_a_degree_east = METRES_A_DEGREE * math.cos(math.radians(circle.lat))
    square_lon = math.floor(circle.lon * metres_a_degree_east / circle.radius_m)
    about = f"{owner}|{circle.radius_m:.0f}|{square_lat}|{square_lon}"
    digest = hmac.digest(key, about.encode(), hashlib.sha256)
    angle = int.from_bytes(digest[:8]) / 2**64 * 2 * math.pi
    away_m = math.sqrt(int.from_bytes(digest[8:16]) / 2**64) * circle.radius_m
    return Circle(
        lat=circle.lat + away_m * math.cos(angle) / METRES_A_DEGREE,
        lon=(circle.lon + away_m * math.sin(angle) / metres_a_degree_east + 180.0) % 360.0 - 180.0,
        radius_m=2 * circle.radius_m,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What others see of an activity: `analysis` is None where it is all hidden; `breaks` marks where stretches begin."""

    activity: Activity
    analysis: Analysis | None
    breaks: Flags


def hidden_rows(streams: Streams, circles: Iterable[Circle]) -> Flags:
    """The points that others don't see: inside a circle, or of unknown place next to one that is."""
    hidden = np.zeros(len(streams.time), dtype=np.bool_)
    lat, lon = streams.series.get("lat"), streams.series.get("lon")
    if lat is None or lon is None:
        return hidden
    known = np.flatnonzero(~np.isnan(lat))
    if not len(known):
        return hidden
    inside = np.zeros(len(known), dtype=np.bool_)
    for circle in circles:
        inside |= distances_m(lat[known], lon[known], circle.lat, circle.lon) <= circle.radius_m
    rows = np.arange(len(lat))
    before = np.clip(np.searchsorted(known, rows, side="right") - 1, 0, None)
    after = np.clip(np.searchsorted(known, rows, side="left"), None, len(known) - 1)
    return np.asarray(inside[before] | inside[after])


def shown(activity: Activity, streams: Streams, hidden: Flags, rows_of_shape: RowsOfShape) -> Shown:
    """An activity as if what is hidden had never been recorded.

    The clock and the distance stand still where it was, so that neither tells how far it was to where; laps, which count
    from the true start, are not there, and neither is what the device said of the whole.
    """
    rows = np.flatnonzero(~hidden)
    breaks = np.diff(rows, prepend=rows[0] if len(rows) else 0) > 1
    if len(rows) < 2:
        return Shown(activity, None, breaks)
    series = {name: column[rows] for name, column in streams.series.items()}
    if "distance" in series:
        series["distance"] = _closed(series["distance"], breaks, 0.0)
    if "cadence" in series and traits_of(activity.sport).on_foot:
        series["cadence"] = series["cadence"] / 2  # as a device counts: the analysis takes it times two
    begin = activity.started_at + timedelta(seconds=float(streams.time[rows[0]]))
    recording = Recording(
        format=activity.source.format or "gpx",
        time=begin.timestamp() + _closed(streams.time[rows], breaks, GAP_S),
        series=series,
        sport=activity.sport,
        breaks=breaks,
        title=activity.title,
        description=activity.description,
    )
    try:
        analysis = analyse(recording, zone_at=lambda _lat, _lon: activity.timezone, rows_of_shape=rows_of_shape)
    except NotAnActivity:  # two points at one moment, say
        analysis = None
    return Shown(activity, analysis, breaks)


def _closed(column: Floats, breaks: Flags, gap: float) -> Floats:
    """A rising column from zero, in which each break is so much and no more; without what differences leave behind a point."""
    steps = np.diff(column, prepend=column[0])
    return np.cumsum(np.where(breaks, gap, steps)).round(3)


def circles_of(zones: Sequence[PrivacyZone]) -> tuple[Circle, ...]:
    """What zones hide."""
    return tuple(zone.hidden for zone in zones)
