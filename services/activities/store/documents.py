"""Between documents and the values of the domain."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from services.activities.domain.activity import Activity
from services.activities.domain.efforts import Effort
from services.activities.domain.heart_rates import HeartRates
from services.activities.domain.physiology import UNTOLD, Physiology
from services.activities.domain.records import Ladder, Ladders
from services.activities.domain.segments import Segment
from services.activities.parsers.parsed import ParsedActivity
from services.activities.store.files import Place
from services.chassis.mongo import Binary, Document

_HELD = struct.Struct("<I")

# What a list or a reader of one activity asks for; the rest of a document is ours.
ACTIVITY_FIELDS: Mapping[str, int] = {name: 1 for name in (*Activity.__struct_fields__, "_id") if name != "id"}
# What a change of an activity needs of it too.
HELD_FIELDS: Mapping[str, int] = {**ACTIVITY_FIELDS, "heart_rates": 1, "efforts": 1, "original": 1}


class Held(Struct, frozen=True):
    """An activity with what its load and the records are made of, and the place of its file.

    `efforts` are distances in metres, and the seconds that the fastest stretch of each took.
    """

    activity: Activity
    rates: HeartRates | None = None
    efforts: tuple[tuple[float, float], ...] = ()
    original: Place | None = None


class Breakdowns(Struct, frozen=True):
    """The parts of an activity, without its columns."""

    laps: tuple[Segment, ...] = ()
    splits: Mapping[str, tuple[Segment, ...]] = {}
    best_efforts: tuple[Effort, ...] = ()


class Extent(Struct, frozen=True):
    """How much a runner has, and between which values it lies; activities that are gone may have made it too wide."""

    activities: int
    oldest: datetime
    newest: datetime
    farthest_m: float = 5_000_000.0
    longest_s: float = 31 * 86_400.0


def extent_of(document: Document | None) -> Extent | None:
    """The extent in a runner's document; None where the runner has nothing."""
    if not document or document.get("activities", 0) < 1:
        return None
    return msgspec.convert(document, Extent)


def document_of(held: Held) -> Document:
    """An activity as it is kept."""
    document: Document = msgspec.to_builtins(held.activity, builtin_types=(datetime,))
    document["_id"] = document.pop("id")
    if held.rates is not None:
        document["heart_rates"] = _packed_rates(held.rates)
    if held.efforts:
        document["efforts"] = [list(effort) for effort in held.efforts]
    if held.original is not None:
        document["original"] = held.original
    return document


def held_of(document: Document) -> Held:
    """The activity in a document that was read with `HELD_FIELDS`, and what is held with it."""
    rates, efforts = rates_of(document), document.pop("efforts", [])
    original = document.pop("original", None)
    document.pop("heart_rates", None)
    return Held(activity_of(document), rates, msgspec.convert(efforts, tuple[tuple[float, float], ...]), original)


def _packed_rates(rates: HeartRates) -> Binary:
    """A byte for the lowest rate, and four for the milliseconds at each from there on."""
    return Binary(bytes([rates.lowest_bpm]) + b"".join(map(_HELD.pack, rates.held_ms)))


def rates_of(document: Document) -> HeartRates | None:
    """The heart rates in an activity's document; None where there are none."""
    packed = document.get("heart_rates")
    return HeartRates(packed[0], tuple(ms for (ms,) in _HELD.iter_unpack(packed[1:]))) if packed else None


def physiology_of(owner: Document | None) -> Physiology:
    """What the document of a runner says of their body."""
    return msgspec.convert((owner or {}).get("physiology", {}), Physiology) if owner else UNTOLD


def ladders_document(ladders: Ladders) -> Document:
    """Records as they are kept."""
    return {"ladders": [[distance_m, msgspec.to_builtins(ladder)] for distance_m, ladder in sorted(ladders.items())]}


def ladders_of(document: Document | None) -> Ladders:
    """The records in a runner's document of them."""
    kept = msgspec.convert((document or {}).get("ladders", []), tuple[tuple[float, Ladder], ...])
    return dict(kept)


def activity_of(document: Document) -> Activity:
    """The activity in a document that was read with `ACTIVITY_FIELDS`."""
    document["id"] = document.pop("_id")
    return msgspec.convert(document, Activity)


def streams_of(activity: Activity, parsed: ParsedActivity) -> Document:
    """The columns of an activity, and the parts that were made of them."""
    parts: Document = msgspec.to_builtins(Breakdowns(parsed.laps, parsed.splits, parsed.best_efforts))
    columns = parsed.streams or b""
    return {"_id": activity.id, "owner": activity.owner, "points": parsed.points, "columns": columns, **parts}
