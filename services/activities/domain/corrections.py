"""What a runner may say about an activity, or of one that no device recorded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from services.activities.domain.activity import SAID_FIELDS, Activity, SaidBy, Source, Summary, Visibility
from services.activities.domain.local_time import kept, known_zone, local_date_of, title_for
from services.activities.domain.plain_text import lines_of, one_line_in
from services.activities.domain.samples import LONGEST_S
from services.activities.domain.sports import Sport
from services.chassis.problems import Invalid

EARLIEST_YEAR = 1990
AHEAD = timedelta(days=1)

Title = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(max_length=5000)]
Exertion = Annotated[int, Meta(ge=1, le=10, description="How hard it felt, 1 to 10 (Borg's CR10)")]
Metres = Annotated[float, Meta(ge=0, le=5_000_000)]
Climb = Annotated[float, Meta(ge=0, le=100_000)]
Seconds = Annotated[float, Meta(gt=0, le=LONGEST_S)]
GearId = Annotated[str, Meta(max_length=64)]
HeartRate = Annotated[float, Meta(ge=25, le=250)]


class Correction(Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays, and null is not known any more."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    sport: Sport | UnsetType = UNSET
    gear_id: GearId | UnsetType | None = UNSET
    visibility: Visibility | UnsetType = UNSET
    perceived_exertion: Exertion | UnsetType | None = UNSET


class ManualActivity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An activity by hand: what a runner remembers of it."""

    sport: Sport
    started_at: Annotated[datetime, Meta(tz=True)]
    timezone: Annotated[str, Meta(max_length=64, description="An IANA time zone")]
    distance_m: Metres
    elapsed_s: Seconds
    moving_s: Seconds | None = None
    title: Title | None = None
    description: Description | None = None
    ascent_m: Climb | None = None
    descent_m: Climb | None = None
    average_heart_rate_bpm: HeartRate | None = None
    max_heart_rate_bpm: HeartRate | None = None
    calories_kcal: Annotated[float, Meta(ge=0, le=100_000)] | None = None
    gear_id: GearId | None = None
    visibility: Visibility | None = None
    perceived_exertion: Exertion | None = None


def corrected(activity: Activity, correction: Correction, now: datetime) -> Activity:
    """The activity after a correction; the same where nothing is different. Raises `Invalid` for a blank title."""
    changes: dict[str, Any] = {
        name: value for name in correction.__struct_fields__ if (value := getattr(correction, name)) is not UNSET
    }
    if "title" in changes:
        changes["title"] = one_line_in("title", changes["title"])
    if changes.get("description"):
        changes["description"] = lines_of(changes["description"])
    different = {name: "runner" for name in SAID_FIELDS if name in changes and changes[name] != getattr(activity, name)}
    changes["said_by"] = msgspec.structs.replace(activity.said_by, **different)
    after = msgspec.structs.replace(activity, **changes)
    return after if after == activity else msgspec.structs.replace(after, updated_at=kept(now))


def by_hand(manual: ManualActivity, *, owner: str, activity_id: str, now: datetime) -> Activity:
    """The activity that a runner describes. Raises `Invalid` where it can't have been so."""
    zone = known_zone(manual.timezone)
    if zone is None:
        raise Invalid.field("timezone", "This is not an IANA time zone, such as Europe/Paris")
    if manual.started_at.year < EARLIEST_YEAR or manual.started_at > now + AHEAD:
        raise Invalid.field("started_at", f"An activity starts after {EARLIEST_YEAR} and not in the future")
    started_at, now = kept(manual.started_at), kept(now)
    moving_s = manual.moving_s or manual.elapsed_s
    if moving_s > manual.elapsed_s:
        raise Invalid.field("moving_s", "One can't move for longer than the whole took")
    summary = Summary(
        sport=manual.sport,
        title=one_line_in("title", manual.title) if manual.title else title_for(manual.sport, started_at, zone),
        description=lines_of(manual.description),
        started_at=started_at,
        timezone=zone,
        local_date=local_date_of(started_at, zone),
        distance_m=manual.distance_m,
        elapsed_s=manual.elapsed_s,
        moving_s=moving_s,
        ascent_m=manual.ascent_m,
        descent_m=manual.descent_m,
        average_speed_mps=round(manual.distance_m / moving_s, 3) or None,
        average_heart_rate_bpm=manual.average_heart_rate_bpm,
        max_heart_rate_bpm=manual.max_heart_rate_bpm,
        calories_kcal=manual.calories_kcal,
    )
    return Activity(
        **msgspec.structs.asdict(summary),
        id=activity_id,
        owner=owner,
        version=1,
        source=Source("manual"),
        created_at=now,
        updated_at=now,
        gear_id=manual.gear_id,
        visibility=manual.visibility or "private",
        perceived_exertion=manual.perceived_exertion,
        said_by=SaidBy(
            title="runner" if manual.title else None,
            description="runner" if manual.description else None,
            sport="runner",
            gear_id="runner" if manual.gear_id else None,
        ),
    )
