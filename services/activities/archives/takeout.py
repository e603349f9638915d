"""Our own takeout (`docs/takeout.md`): originals, and in JSON what their runner said about what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from services.activities.domain.activity import ALL_BY_RUNNER, SaidBy, Source, Summary, Visibility
from services.activities.domain.corrections import Exertion, ManualActivity
from services.activities.domain.labels import GearSaid, Labels
from services.activities.domain.privacy import NewZone
from services.activities.domain.problems import NotAnActivity
from services.activities.domain.sports import Sport
from services.activities.domain.strava import is_id
from services.chassis.holdings import FORMAT, VERSION

ACTIVITIES, GEAR, ZONES, REMOVED = "activities/", "gear/", "privacy-zones/", "strava-removed.json"
MOST_REMOVED = 100_000
_BAD = (msgspec.MsgspecError, ValueError, RecursionError)


class TakenActivity(Summary, frozen=True, kw_only=True):
    """An activity as a takeout tells of it; fields we do not know are passed over."""

    source: Source
    original: str | None = None
    session: int = 0
    created_at: Annotated[datetime, Meta(tz=True)] | None = None
    visibility: Visibility = "private"
    gear_id: str | None = None
    perceived_exertion: Exertion | None = None
    strava_id: str | None = None
    said_by: SaidBy = ALL_BY_RUNNER  # an older one does not tell


class _Gear(Struct, frozen=True):
    id: str
    name: str
    kind: str
    retire_at_m: float | None = None
    retired: bool = False
    default_for: tuple[Sport, ...] = ()


class _Zone(Struct, frozen=True):
    name: str
    lat: float
    lon: float
    radius_m: int


class _Removals(Struct, frozen=True):
    strava_ids: tuple[str, ...]


class _Manifest(Struct, frozen=True):
    format: str
    version: int


class _Pointer(Struct, frozen=True):
    original: str | None = None


def is_manifest(content: bytes) -> bool:
    """Whether this is the manifest of a takeout that we can read."""
    try:
        manifest = msgspec.json.decode(content, type=_Manifest)
    except _BAD:
        return False
    return (manifest.format, manifest.version) == (FORMAT, VERSION)


def original_of(content: bytes) -> str | None:
    """The path of the file that an activity was read from; None for one by hand, or where it can't be made out."""
    try:
        return msgspec.json.decode(content, type=_Pointer).original
    except _BAD:
        return None


def activity_in(content: bytes) -> TakenActivity | None:
    """The activity in a file of a takeout; None where it can't be made out."""
    try:
        return msgspec.json.decode(content, type=TakenActivity)
    except _BAD:
        return None


def by_hand_in(taken: TakenActivity) -> ManualActivity:
    """An activity that no device recorded, as its runner entered it. Raises `NotAnActivity` where nobody can have."""
    known = msgspec.to_builtins(taken)
    fields = {name: known[name] for name in ManualActivity.__struct_fields__ if known.get(name) is not None}
    try:
        return msgspec.convert({**fields, "gear_id": None}, ManualActivity)
    except msgspec.ValidationError as error:
        raise NotAnActivity(f"This activity can't have been entered: {error}") from None


def gear_in(content: bytes) -> tuple[str, GearSaid] | None:
    """A piece of gear and the id it had; None where it can't be made out."""
    try:
        gear = msgspec.json.decode(content, type=_Gear)
    except _BAD:
        return None
    said = GearSaid(
        name=gear.name,
        kind=gear.kind,
        retire_at_m=gear.retire_at_m,
        retired=gear.retired,
        default_for=gear.default_for,
    )
    return gear.id, said


def zone_in(content: bytes) -> NewZone | None:
    """A privacy zone; None where it can't be made out."""
    try:
        zone = msgspec.json.decode(content, type=_Zone)
        return msgspec.convert(msgspec.to_builtins(zone), NewZone)
    except _BAD:
        return None


def removed_in(content: bytes) -> tuple[str, ...]:
    """Strava's ids of what was removed; none where they can't be made out."""
    try:
        ids = msgspec.json.decode(content, type=_Removals).strava_ids
    except _BAD:
        return ()
    return tuple(filter(is_id, ids[:MOST_REMOVED]))


def labels_of(taken: TakenActivity, gear: Mapping[str, GearSaid]) -> Labels:
    """What its runner had said about an activity."""
    return Labels(
        title=taken.title,
        description=taken.description,
        sport=taken.sport,
        gear=gear.get(taken.gear_id or ""),
        visibility=taken.visibility,
        perceived_exertion=taken.perceived_exertion,
        created_at=taken.created_at,
        file_name=taken.source.name,
        strava_id=taken.strava_id if is_id(taken.strava_id or "") else None,
        said_by=taken.said_by,
        whole=True,
    )
