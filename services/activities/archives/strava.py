"""Strava's export ("Download your account"): `activities.csv`, and the files it names in `activities/`.

The columns' names are in the language of the account, some come twice, and there are more of them each year. What has
stayed is their order at the front: id, date, name, type, description; and that the gear stands before the file's name,
which is found by what stands in its column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from msgspec import Struct

from services.activities.domain.activity import SaidBy
from services.activities.domain.labels import GearSaid, Labels
from services.activities.domain.sports import Sport
from services.activities.domain.strava import is_id
from services.activities.formats.sport_names import sport_named

TABLE = "activities.csv"
FOLDER = "activities/"
MOST_ROWS = 100_000
LONGEST_ROW = 256 * 1024  # letters: a hundred columns, and the longest description
_ID, _NAME, _TYPE, _DESCRIPTION = 0, 2, 3, 4
_ENGLISH = {"activity id": _ID, "activity name": _NAME, "activity type": _TYPE, "activity description": _DESCRIPTION}
_GEAR = "activity gear"
_LOOKED_AT = 1000  # rows


class Table(Struct, frozen=True):
    """What an `activities.csv` says: of each file, by its path; and the titles of activities that have none."""

    labels: dict[str, Labels] = {}
    without_file: tuple[str, ...] = ()


def read_table(table: bytes) -> Table:
    """What an `activities.csv` says. Nothing where it can't be made out. Its rows are looked at one by one."""
    labels: dict[str, Labels] = {}
    without: list[str] = []
    try:
        rows = islice(_rows(table), 1 + MOST_ROWS)
        header = next(rows, [])
        first = list(islice(rows, _LOOKED_AT))
        file = _file_column(first)
        if file is None:
            return Table()
        columns = _columns(header, file)
        for row in chain(first, rows):
            path = row[file].strip() if len(row) > file else None
            if path and path.startswith(FOLDER):
                labels[path] = _labels(row, columns)
            elif path == "" and len(row) > _NAME and (title := row[_NAME].strip()):
                without.append(title)
    except csv.Error:
        return Table()
    return Table(labels, tuple(without))


def of_many_sports(labels: Labels) -> Labels:
    """As much of what is said about a file as can be said about each of several activities in it."""
    said_by = SaidBy(title=labels.said_by.title, description=labels.said_by.description)
    return Labels(title=labels.title, description=labels.description, said_by=said_by)


def _rows(table: bytes) -> Iterator[list[str]]:
    """The rows, as long as none is longer than any can be. Raises `csv.Error`."""
    text = io.TextIOWrapper(io.BytesIO(table), "utf-8-sig", errors="replace", newline="")
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        while line := text.readline(LONGEST_ROW + 1):
            taken += len(line)
            if taken > LONGEST_ROW:
                raise csv.Error("this is no row")
            yield line

    for row in csv.reader(lines()):
        yield row
        taken = 0


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
