"""When a run was on the clocks and calendars where it was: its zone, its local date, a name for it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.activities.domain.sports import Sport

# Zones that keep a part of an hour, for files that tell an offset from UTC and no place.
_UNEVEN = {
    12_600: "Asia/Tehran",
    16_200: "Asia/Kabul",
    19_800: "Asia/Kolkata",
    20_700: "Asia/Kathmandu",
    23_400: "Asia/Yangon",
    34_200: "Australia/Darwin",
    -12_600: "America/St_Johns",
}
# What lies beside the zones in many a calendar, and no browser knows.
_NOT_OF_IANA = ("posix", "right/", "localtime", "Factory")
_NOUNS: dict[Sport, str] = {
    "running": "run",
    "walking": "walk",
    "hiking": "hike",
    "cycling": "ride",
    "swimming": "swim",
    "rowing": "row",
    "skiing": "ski",
    "skating": "skate",
    "fitness": "workout",
    "other": "activity",
}


def zone_of_offset(offset_s: int | None) -> str:
    """An IANA time zone that keeps this offset from UTC; UTC for none."""
    if not offset_s:
        return "UTC"
    if offset_s % 3600 == 0:
        # the names of these zones count west of Greenwich
        return known_zone(f"Etc/GMT{-offset_s // 3600:+d}") or "UTC"
    return _UNEVEN.get(offset_s, "UTC")


def known_zone(name: str) -> str | None:
    """The name of a time zone, None where our calendar does not know it."""
    if not name or name.startswith(_NOT_OF_IANA):
        return None
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, a name too long for a file
        return None


def moment(unix_s: float) -> datetime:
    """A moment in UTC, to the millisecond, which is what the database keeps."""
    return datetime.fromtimestamp(round(unix_s * 1000) / 1000, tz=UTC)


def kept(at: datetime) -> datetime:
    """A moment as the database keeps it: in UTC, to the millisecond."""
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


def local(at: datetime, zone: str) -> datetime:
    """A moment on the clocks of a zone."""
    return at.astimezone(ZoneInfo(zone))


def local_date_of(at: datetime, zone: str) -> date:
    """The date that a moment has in a zone."""
    return local(at, zone).date()


def title_for(sport: Sport, at: datetime, zone: str) -> str:
    """What to call an activity that has no name of its own: `Morning run`."""
    hour = local(at, zone).hour
    part = "Night" if hour < 5 else "Morning" if hour < 12 else "Afternoon" if hour < 18 else "Evening"
    return f"{part} {_NOUNS.get(sport, sport)}"
