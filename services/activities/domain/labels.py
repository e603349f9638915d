"""What somebody said about an activity elsewhere: on another site, or in another Runnerly."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from services.activities.domain.activity import Activity, SaidBy, Visibility
from services.activities.domain.corrections import EARLIEST_YEAR
from services.activities.domain.local_time import kept
from services.activities.domain.plain_text import plain
from services.activities.domain.sports import Sport

LONGEST_TITLE, LONGEST_DESCRIPTION = 200, 5000


class GearSaid(Struct, frozen=True, kw_only=True):
    """Gear as another place knows it, told from others by its name."""

    name: str
    kind: str | None = None
    retire_at_m: float | None = None
    retired: bool = False
    default_for: tuple[Sport, ...] = ()


class Labels(Struct, frozen=True, kw_only=True):
    """What was said, and by whom; None is nothing. `left_out` is an activity that its runner has removed there.

    `whole` says that this is all there is to say: no description then means that there is none, whatever the file has.
    """

    title: str | None = None
    description: str | None = None
    sport: Sport | None = None
    gear: GearSaid | None = None
    visibility: Visibility | None = None
    perceived_exertion: int | None = None
    created_at: datetime | None = None
    file_name: str | None = None
    strava_id: str | None = None
    said_by: SaidBy = SaidBy()
    left_out: bool = False
    whole: bool = False


NOTHING_SAID = Labels()


def labelled(activity: Activity, labels: Labels, gear_id: str | None) -> Activity:
    """An activity with what was said about it, and the gear that this means here."""
    file_name = plain(labels.file_name or "", LONGEST_TITLE, lines=False) or activity.source.name
    title = plain(labels.title or "", LONGEST_TITLE, lines=False)
    description = plain(labels.description or "", LONGEST_DESCRIPTION, lines=True)
    said_by = labels.said_by
    if said_by.gear_id == "strava" and gear_id is None:  # there can't be more gear
        said_by = msgspec.structs.replace(said_by, gear_id=None)
    return msgspec.structs.replace(
        activity,
        title=title or activity.title,
        description=description or (None if labels.whole else activity.description),
        sport=labels.sport or activity.sport,
        source=msgspec.structs.replace(activity.source, name=file_name),
        strava_id=labels.strava_id,
        said_by=said_by,
        gear_id=gear_id,
        visibility=labels.visibility or activity.visibility,
        perceived_exertion=labels.perceived_exertion or activity.perceived_exertion,
        created_at=_created(labels.created_at, activity.created_at),
    )


def _created(said: datetime | None, now: datetime) -> datetime:
    """When it was added there, where that can be; else now."""
    return kept(said) if said is not None and said.year >= EARLIEST_YEAR and said <= now else now
