"""Strava's export ("Download your account"): `activities.csv`, and the files it names in `activities/`.

The columns' names are in the language of the account, some come twice, and there are more of them each year. What has
stayed is their order at the front: id, date, name, type, description; and that the gear stands before the file's name,
which is found by what stands in its column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from msgspec import Struct

from services.activities.domain.activity import SaidBy
from services.activities.domain.labels import GearSaid, Labels
from services.activities.domain.sports import Sport
from services.activities.domain.strava import is_id
from services.activities.formats.sport_names import sport_named

TABLE = "activities.csv"
FOLDER = "activities/"
_ID, _NAME, _TYPE, _DESCRIPTION = 0, 2, 3, 4
_ENGLISH = {"activity id": _ID, "activity name": _NAME, "activity type": _TYPE, "activity description": _DESCRIPTION}
_GEAR = "activity gear"
_LOOKED_AT = 1000  # rows


class Table(Struct, frozen=True):
    """What an `activities.csv` says: of each file, by its path; and the titles of activities that have none."""

    labels: dict[str, Labels] = {}
    without_file: tuple[str, ...] = ()


def read_table(table: bytes) -> Table:
    """What an `activities.csv` says. Nothing where it can't be made out."""
    try:
        rows = list(csv.reader(io.StringIO(table.decode("utf-8-sig", errors="replace"), newline="")))
    except csv.Error:
        return Table()
    header, rows = (rows[0], rows[1:]) if rows else ([], [])
    file = _file_column(rows)
    if file is None:
        return Table()
    columns = _columns(header, file)
    labels = {row[file].strip(): _labels(row, columns) for row in rows if len(row) > file}
    without = [row[_NAME].strip() for row in rows if len(row) > max(file, _NAME) and not row[file].strip()]
    return Table({path: said for path, said in labels.items() if path.startswith(FOLDER)}, tuple(filter(None, without)))


def of_many_sports(labels: Labels) -> Labels:
    """As much of what is said about a file as can be said about each of several activities in it."""
    said_by = SaidBy(title=labels.said_by.title, description=labels.said_by.description)
    return Labels(title=labels.title, description=labels.description, said_by=said_by)


def _file_column(rows: Sequence[Sequence[str]]) -> int | None:
    """The column that names files most often."""
    counts: dict[int, int] = {}
    for row in rows[:_LOOKED_AT]:
        for index, value in enumerate(row):
            if value.strip().startswith(FOLDER):
                counts[index] = counts.get(index, 0) + 1
    return max(counts, key=lambda index: counts[index]) if counts else None


def _columns(header: Sequence[str], file: int) -> dict[str, int]:
    """Where what is: by the English name where there is one (the first of equal ones), else by the usual place."""
    names = [name.strip().lower() for name in header]
    found = {name: names.index(name) if name in names else place for name, place in _ENGLISH.items()}
    found[_GEAR] = names.index(_GEAR) if _GEAR in names else file - 1
    return found


def _labels(row: Sequence[str], columns: Mapping[str, int]) -> Labels:
    said = {name: row[column].strip() if 0 <= column < len(row) else "" for name, column in columns.items()}
    sport = sport_named(said["activity type"])
    gear = said[_GEAR]
    if gear.replace(".", "").isdigit():
        gear = ""
    title, description, strava_id = said["activity name"], said["activity description"], said["activity id"]
    return Labels(
        title=title or None,
        description=description or None,
        sport=sport if sport != "other" else None,
        gear=GearSaid(name=gear, kind=_kind(sport)) if gear else None,
        strava_id=strava_id if is_id(strava_id) else None,
        said_by=SaidBy(
            title="strava" if title else None,
            description="strava" if description else None,
            gear_id="strava" if gear else None,
        ),
    )


def _kind(sport: Sport | None) -> str:
    return "bike" if sport == "cycling" else "shoes"
