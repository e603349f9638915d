"""Taking things with one: an activity as GPX, the list of activities as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from services.activities.domain.activity import Activity
from services.activities.domain.listing import Order, Wanted
from services.activities.formats.gpx_writing import gpx_of, has_places, no_breaks
from services.activities.packing import unpack
from services.activities.store.activities import ActivityStore
from services.activities.store.finding import Finder
from services.chassis.problems import NotFound

AT_ONCE = 100
COLUMNS = (
    "id", "sport", "title", "description", "started_at", "timezone", "local_date", "distance_m", "elapsed_s", "moving_s",
    "ascent_m", "descent_m", "average_speed_mps", "max_speed_mps", "average_heart_rate_bpm", "max_heart_rate_bpm",
    "average_cadence_spm", "average_power_w", "calories_kcal", "load", "load_from", "grade_adjusted_speed_mps",
    "perceived_exertion", "gear_id", "visibility", "device",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # OWASP, CSV injection


@dataclass(frozen=True, slots=True)
class GpxOf:
    """An activity as GPX."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str) -> tuple[Activity, AsyncIterator[bytes]]:
        """The activity, and the pieces of the document. Raises `NotFound`, also where no places were recorded."""
        activity = await self.store.read(owner, activity_id)
        packed = await self.store.columns(owner, activity_id)
        streams = await asyncio.to_thread(unpack, packed) if packed else None
        if streams is None or not has_places(streams):
            raise NotFound("No places were recorded for this activity")
        return activity, beside(gpx_of(streams, no_breaks(streams), activity))


@dataclass(frozen=True, slots=True)
class ListAsCsv:
    """The list of activities as CSV (RFC 4180), a row an activity."""

    finder: Finder

    async def __call__(self, owner: str, wanted: Wanted, order: Order) -> AsyncIterator[bytes]:
        """All of the list, a hundred rows at a time."""
        yield _rows([COLUMNS])
        found, after = await self.finder.page(owner, wanted, order, None, AT_ONCE)
        while found:
            yield _rows([_cells(activity) for activity in found])
            if after is None:
                return
            found, after = await self.finder.page(owner, wanted, order, after, AT_ONCE)


async def beside(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces that are made beside the event loop, each when it is wanted."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _cells(activity: Activity) -> list[str]:
    return [_cell(getattr(activity, name)) for name in COLUMNS]


def _cell(value: object) -> str:
    """A cell; a text that a spreadsheet would take for a formula is told apart by an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)


def _rows(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
