"""An activity as its runner knows it: the summary that lists show, and what may be corrected by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

from services.activities.domain.geodesy import Bounds
from services.activities.domain.recording import Format
from services.activities.domain.sports import Sport

Visibility: TypeAlias = Literal["private", "public"]
LoadFrom: TypeAlias = Literal["heart_rate", "pace"]


SourceKind: TypeAlias = Literal["file", "strava", "manual"]
SaidField: TypeAlias = Literal["title", "description", "sport", "gear_id"]
Teller: TypeAlias = Literal["runner", "strava"]


class Source(Struct, frozen=True):
    """Where the numbers of an activity came from; of a file its name and format.

    `sha256` is the digest of the bytes that they were read from: of a file as it was sent, or of what Strava told.
    """

    kind: SourceKind
    name: str | None = None
    format: Format | None = None
    sha256: str | None = None


class SaidBy(Struct, frozen=True, omit_defaults=True):
    """Who said what somebody may say better than a file; None is nobody: it is the file's, or what we made of it.

    What the runner said here is never overwritten by what comes from elsewhere.
    """

    title: Teller | None = None
    description: Teller | None = None
    sport: Teller | None = None
    gear_id: Teller | None = None


ALL_BY_RUNNER = SaidBy("runner", "runner", "runner", "runner")
SAID_FIELDS: tuple[SaidField, ...] = get_args(SaidField)


class Summary(Struct, frozen=True, kw_only=True):
    """What was done, in numbers. `local_date` is the date of the start where it was; None is not known.

    `elapsed_s` is from the first to the last sample, `moving_s` without pauses and standing; average speeds
    are over the latter.
    """

    sport: Sport
    title: str
    started_at: datetime
    timezone: str
    local_date: date
    distance_m: float
    elapsed_s: float
    moving_s: float
    description: str | None = None
    ascent_m: float | None = None
    descent_m: float | None = None
    average_speed_mps: float | None = None
    max_speed_mps: float | None = None
    average_heart_rate_bpm: float | None = None
    max_heart_rate_bpm: float | None = None
    average_cadence_spm: float | None = None
    average_power_w: float | None = None
    calories_kcal: float | None = None
    grade_adjusted_speed_mps: float | None = None
    polyline: str | None = None
    bounds: Bounds | None = None
    device: str | None = None
    laps_count: int = 0


SAID = frozenset({"title", "description", "sport"})  # of a summary: what a runner may have said better than the file


class Activity(Summary, frozen=True, kw_only=True):
    """A runner's activity. `version` rises with each change; `session` is its place in a file of several sports.

    `strava_id` is which one it is at Strava, where it was told of there, also where the numbers are a file's.
    """

    id: str
    owner: str
    version: int
    source: Source
    session: int = 0
    created_at: datetime
    updated_at: datetime
    visibility: Visibility = "private"
    gear_id: str | None = None
    perceived_exertion: int | None = None
    said_by: SaidBy = SaidBy()
    strava_id: str | None = None
    load: float | None = None
    load_from: LoadFrom | None = None


def read_anew(activity: Activity, summary: Summary) -> Activity:
    """An activity with the numbers of a summary that was made anew of its file; what its runner may have said stays."""
    numbers = {name: getattr(summary, name) for name in Summary.__struct_fields__ if name not in SAID}
    return msgspec.structs.replace(activity, **numbers)
