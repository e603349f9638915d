"""One run that came twice, from Strava and otherwise: one activity, with the richer data, and with what its runner said."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from services.activities.domain.activity import Activity, SaidField
from services.activities.domain.local_time import title_for
from services.activities.domain.sports import SPORTS

# What becomes of what was said at Strava about an activity that is here already: nothing; it stands where nobody has said
# anything; or also where it was said at Strava, and may have changed there since.
Words: TypeAlias = Literal["keep", "fill", "refresh"]

_WORDS: tuple[SaidField, ...] = ("title", "description", "gear_id")


class Merged(Struct, frozen=True):
    """An activity after the same run has come again; with `takes_data` it is yet to get the numbers of that."""

    activity: Activity
    takes_data: bool = False


def merged(existing: Activity, new: Activity, words: Words, *, sampled: tuple[bool, bool]) -> Merged:
    """The existing activity after the same run came as a new one; `sampled` says of each whether it has samples.

    Where the new data is richer it is taken. The id stays, and so does what its runner said here. Of two runs at Strava that
    are one, the first that came is the one.
    """
    if new.strava_id and existing.strava_id not in {None, new.strava_id}:
        return Merged(existing)
    after = _replaced(_with_words(existing, new, words), strava_id=existing.strava_id or new.strava_id)
    if not _is_richer(existing, new, words, sampled):
        return Merged(existing if after == existing else _replaced(after, updated_at=new.updated_at))
    told_anew = existing.source.kind == new.source.kind
    sport = new.sport if told_anew and existing.said_by.sport is None else existing.sport
    numbers_of_new = {"source": new.source, "session": new.session, "sport": sport, "updated_at": new.updated_at}
    return Merged(_replaced(after, **numbers_of_new), takes_data=True)


def _is_richer(existing: Activity, new: Activity, words: Words, sampled: tuple[bool, bool]) -> bool:
    """Whether the new data is to stand for the existing.

    Samples are more than totals, and a file, which has laps, pauses and every digit, is more than what Strava makes of
    it. So: a file with samples, Strava's samples, a file's totals, and last what somebody typed, here or at Strava; of
    equals the one that is there, but that Strava may tell its own anew. A file never takes the place of what was
    entered here or of another file: those are duplicates.
    """
    before, now = existing.source, new.source
    if before.kind == now.kind == "strava":
        return words == "refresh" and before.sha256 != now.sha256
    if "strava" not in {before.kind, now.kind}:
        return False
    return _rank(now.kind == "file", sampled[1]) > _rank(before.kind == "file", sampled[0])


def _rank(is_file: bool, is_sampled: bool) -> int:
    return 2 * is_sampled + is_file


def _with_words(existing: Activity, new: Activity, words: Words) -> Activity:
    """The existing activity with what was said at Strava about the new one, as far as that stands."""
    if words == "keep":
        return existing
    changes: dict[str, Any] = {}
    tellers: dict[str, str | None] = {}
    for name in _WORDS:
        before, now = getattr(existing.said_by, name), getattr(new.said_by, name)
        retold = words == "refresh" and before == "strava"
        if now == "strava" and (retold or (before is None and _is_untold(existing, name))):
            changes[name], tellers[name] = getattr(new, name), "strava"
        elif now is None and retold and name != "title":  # it was taken back there
            changes[name], tellers[name] = None, None
    said_by = msgspec.structs.replace(existing.said_by, **tellers)
    return msgspec.structs.replace(existing, **changes, said_by=said_by)


def _is_untold(activity: Activity, name: SaidField) -> bool:
    """Whether this is what we made up: of gear, the default of the sport, or none."""
    match name:
        case "title":
            made_up = {title_for(sport, activity.started_at, activity.timezone) for sport in SPORTS}
            return activity.title in made_up
        case "description":
            return activity.description is None
        case _:
            return True


def _replaced(struct: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(struct, **changes)
