"""ZIP archives that tests write: sound ones as other sites export them, and some that nobody should."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

STRAVA_HEADER = (
    "Activity ID", "Activity Date", "Activity Name", "Activity Type", "Activity Description", "Elapsed Time", "Distance",
    "Max Heart Rate", "Relative Effort", "Commute", "Activity Private Note", "Activity Gear", "Filename", "Athlete Weight",
    "Bike Weight", "Elapsed Time", "Moving Time", "Distance",
)  # fmt: skip
STRAVA_HEADER_GERMAN = (
    "Aktivitäts-ID", "Aktivitätsdatum", "Name der Aktivität", "Aktivitätsart", "Aktivitätsbeschreibung", "Verstrichene Zeit",
    "Distanz", "Max. Herzfrequenz", "Relative Leistung", "Pendeln", "Private Anmerkung", "Aktivitätsausrüstung", "Dateiname",
    "Gewicht", "Radgewicht", "Verstrichene Zeit", "Bewegungszeit", "Distanz",
)  # fmt: skip


def zipped(
    members: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """An archive of these members."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(name, content)
    return into.getvalue()


def strava(activities: Sequence[tuple[str, str, str, str, str, bytes]], header: Sequence[str] = STRAVA_HEADER) -> bytes:
    """Strava's export of activities: (file name in `activities/`, title, type, description, gear, bytes)."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(header)
    for file, title, kind, description, gear, content in activities:
        path = f"activities/{file}" if file else ""
        row = [
            strava_id_of(title, content),
            "1 Mar 2026, 07:00:00",
            title,
            kind,
            description,
            "1800",
            "6.0",
            "",
            "",
            "false",
            "",
            gear,
        ]
        writer.writerow([*row, path, "", "", "1800.0", "1790.0", "6000.0"])
    members = {f"activities/{file}": content for file, *_, content in activities if file}
    others = {"photos/1.jpg": b"\xff\xd8 no picture", "profile.csv": b"a,b\n1,2\n"}
    return zipped({"activities.csv": table.getvalue().encode(), **members, **others})


def strava_id_of(title: str, content: bytes) -> str:
    """The id that Strava has for an activity in an export of ours."""
    return str(10_000_000_000 + zlib.crc32(title.encode() + content))


def garmin(
    files: Sequence[Mapping[str, bytes]], titles: Mapping[int, str], inner_method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Garmin's export: an archive of each group of files, and titles by the Unix millisecond of the start."""
    told = [{"activityId": at, "name": name, "beginTimestamp": at, "distance": 1e5} for at, name in titles.items()]
    members: dict[str, bytes] = {
        "DI_CONNECT/DI-Connect-Fitness/runner_0_summarizedActivities.json": json.dumps(
            [{"summarizedActivitiesExport": told}]
        ).encode(),
        "DI_CONNECT/DI-Connect-Wellness/2026_sleepData.json": b"[]",
        "customer_data/customer.json": b"{}",
    }
    for number, group in enumerate(files, 1):
        name = f"DI_CONNECT/DI-Connect-Uploaded-Files/UploadedFiles_0-_Part{number}.zip"
        members[name] = zipped(group)
    return zipped(members, inner_method)


def patched(archive: bytes, at: bytes, offset: int, value: bytes) -> bytes:
    """An archive in which what follows each occurrence of a signature, at an offset, is another value."""
    changed = bytearray(archive)
    found = archive.find(at)
    while found >= 0:
        changed[found + offset : found + offset + len(value)] = value
        found = archive.find(at, found + 4)
    return bytes(changed)


def claiming(archive: bytes, count: int) -> bytes:
    """An archive whose end says that it has so many members."""
    return patched(archive, b"PK\x05\x06", 8, struct.pack("<HH", count, count))


def encrypted(archive: bytes) -> bytes:
    """An archive whose members say that they are encrypted."""
    return patched(patched(archive, b"PK\x01\x02", 8, b"\x01\x00"), b"PK\x03\x04", 6, b"\x01\x00")


def link(name: str, to: str) -> tuple[zipfile.ZipInfo, bytes]:
    """A member that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = 0o120777 << 16
    return info, to.encode()


def named(name: str) -> zipfile.ZipInfo:
    """A member of this very name, which `zipfile` would tidy up."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info
