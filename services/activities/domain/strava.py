"""One run as Strava tells it, in our words and units; the service that talks to Strava translates, and calls with this.

What was measured is kept apart from what was said about it: the former is written down as bytes that are to an activity
what its file is to others (read in a worker process, kept, read anew, taken out); the latter changes now and then.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field

from services.activities.domain.activity import Activity, SaidBy
from services.activities.domain.labels import LONGEST_DESCRIPTION, LONGEST_TITLE
from services.activities.domain.plain_text import plain

NAME, VERSION = "strava-run", 1
LONGEST_ID = 20
MAGIC = b'{"runnerly":"strava-run",'

Amount = Annotated[float, Meta(ge=0)]
Column: TypeAlias = list[float | None]


class StravaStreams(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strava's streams, parallel; null where a sample has none. `time_s` counts from the start.

    `cadence_rpm` is as Strava has it, turns or the steps of one leg: it is doubled where files' are, for who is on foot.
    """

    time_s: list[float]
    lat_deg: Column | None = None
    lon_deg: Column | None = None
    distance_m: Column | None = None
    altitude_m: Column | None = None
    speed_mps: Column | None = None
    heart_rate_bpm: Column | None = None
    cadence_rpm: Column | None = None
    power_w: Column | None = None


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured. `sport_type` is Strava's word; `timezone` an IANA name, for where there are no positions.

    `streams` are read in a worker process, since they may be large: here they are any JSON.
    """

    sport_type: Annotated[str, Meta(max_length=60)]
    started_at: Annotated[datetime, Meta(tz=True)]
    timezone: Annotated[str, Meta(max_length=64)]
    distance_m: Amount
    elapsed_s: Amount
    moving_s: Amount
    ascent_m: Amount | None = None
    calories_kcal: Amount | None = None
    average_heart_rate_bpm: Amount | None = None
    max_heart_rate_bpm: Amount | None = None
    average_cadence_rpm: Amount | None = None
    average_power_w: Amount | None = None
    device: Annotated[str, Meta(max_length=200)] | None = None
    streams: Raw = field(default_factory=lambda: Raw(b"null"))


class StravaRun(Measured, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A run, and what its runner said about it at Strava. `gear` is a name."""

    title: Annotated[str, Meta(max_length=1000)] | None = None
    description: Annotated[str, Meta(max_length=50_000)] | None = None
    gear: Annotated[str, Meta(max_length=200)] | None = None


def is_id(text: str) -> bool:
    """Whether Strava may have an activity of this id."""
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID


def written(run: StravaRun) -> bytes:
    """What was measured, as bytes: the same for the same."""
    measured = {name: getattr(run, name) for name in Measured.__struct_fields__}
    return msgspec.json.encode({"runnerly": NAME, "version": VERSION, **measured})


def said_at_strava(activity: Activity, run: StravaRun, strava_id: str, gear_id: str | None) -> Activity:
    """A new activity with what its runner said about it at Strava."""
    title = plain(run.title or "", LONGEST_TITLE, lines=False)
    description = plain(run.description or "", LONGEST_DESCRIPTION, lines=True)
    return msgspec.structs.replace(
        activity,
        title=title or activity.title,
        description=description or None,
        gear_id=gear_id,
        strava_id=strava_id,
        said_by=SaidBy(
            title="strava" if title else None,
            description="strava" if description else None,
            gear_id="strava" if gear_id else None,
        ),
    )
