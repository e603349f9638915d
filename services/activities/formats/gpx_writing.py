"""Writing GPX 1.1, with heart rate, cadence and speed in Garmin's TrackPointExtension v2, and power in its PowerExtension.

What GPX has no place for, points of unknown place, is left out. A longitude is below 180 there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
from lxml import etree

from services.activities.domain.activity import Summary
from services.activities.domain.labels import LONGEST_DESCRIPTION, LONGEST_TITLE
from services.activities.domain.plain_text import plain
from services.activities.domain.recording import Flags
from services.activities.domain.sports import traits_of
from services.activities.domain.streams import Streams

POINTS_AT_ONCE = 2000
_GPX = "http://www.topografix.com/GPX/1/1"
_TPX = "http://www.garmin.com/xmlschemas/TrackPointExtension/v2"
_POWER = "http://www.garmin.com/xmlschemas/PowerExtension/v1"
_END = b"</trkseg></trk></gpx>\n"
_NEXT_SEGMENT = b"</trkseg><trkseg>"


def has_places(streams: Streams) -> bool:
    """Whether there is anything to be written."""
    return "lat" in streams.series and "lon" in streams.series


def gpx_of(streams: Streams, breaks: Flags, summary: Summary) -> Iterator[bytes]:
    """The pieces of a GPX document; `breaks` marks the points that begin a segment of their own."""
    yield _beginning(summary)
    columns = {name: column.tolist() for name, column in streams.series.items()}
    steps_a_turn = 2 if traits_of(summary.sport).on_foot else 1  # devices count one leg
    lat, time = columns["lat"], streams.time.tolist()
    broken, pieces, written = False, [], False
    for row, breaks_here in enumerate(breaks.tolist()):
        broken = broken or breaks_here
        if math.isnan(lat[row]):
            continue
        if broken and written:
            pieces.append(_NEXT_SEGMENT)
        broken, written = False, True
        pieces.append(_point(columns, row, summary.started_at + timedelta(seconds=time[row]), steps_a_turn))
        if len(pieces) >= POINTS_AT_ONCE:
            yield b"".join(pieces)
            pieces = []
    yield b"".join(pieces) + _END


def no_breaks(streams: Streams) -> Flags:
    """One segment for all points."""
    return np.zeros(len(streams.time), dtype=np.bool_)


def _beginning(summary: Summary) -> bytes:
    root = etree.Element(f"{{{_GPX}}}gpx", nsmap={None: _GPX, "tpx": _TPX, "pwr": _POWER})
    root.set("version", "1.1")
    root.set("creator", "Runnerly")
    metadata = etree.SubElement(root, f"{{{_GPX}}}metadata")
    etree.SubElement(metadata, f"{{{_GPX}}}time").text = _moment(summary.started_at)
    track = etree.SubElement(root, f"{{{_GPX}}}trk")
    etree.SubElement(track, f"{{{_GPX}}}name").text = plain(summary.title, LONGEST_TITLE, lines=False)
    if summary.description:
        etree.SubElement(track, f"{{{_GPX}}}desc").text = plain(summary.description, LONGEST_DESCRIPTION, lines=True)
    etree.SubElement(track, f"{{{_GPX}}}type").text = summary.sport
    etree.SubElement(track, f"{{{_GPX}}}trkseg").text = ""
    whole: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return whole[: whole.rindex(b"</trkseg>")]


def _point(columns: Mapping[str, list[float]], row: int, at: datetime, steps_a_turn: int) -> bytes:
    def known(name: str) -> float | None:
        column = columns.get(name)
        return None if column is None or math.isnan(column[row]) else column[row]

    lon = round(columns["lon"][row], 7)
    altitude, power = known("altitude"), known("power")
    more = "".join(_extensions(known("heart_rate"), known("cadence"), known("speed"), steps_a_turn))
    extensions = f"<tpx:TrackPointExtension>{more}</tpx:TrackPointExtension>" if more else ""
    if power is not None:
        extensions += f"<pwr:PowerInWatts>{round(power)}</pwr:PowerInWatts>"
    return (
        f'<trkpt lat="{columns["lat"][row]:.7f}" lon="{lon if lon < 180.0 else -180.0:.7f}">'
        f"{'' if altitude is None else f'<ele>{altitude:.2f}</ele>'}<time>{_moment(at)}</time>"
        f"{f'<extensions>{extensions}</extensions>' if extensions else ''}</trkpt>"
    ).encode()


def _extensions(
    heart_rate: float | None, cadence: float | None, speed: float | None, steps_a_turn: int
) -> Iterator[str]:
    if heart_rate is not None and 1 <= heart_rate <= 255:
        yield f"<tpx:hr>{round(heart_rate)}</tpx:hr>"
    if cadence is not None and 0 <= cadence / steps_a_turn <= 254:
        yield f"<tpx:cad>{round(cadence / steps_a_turn)}</tpx:cad>"
    if speed is not None:
        yield f"<tpx:speed>{speed:.3f}</tpx:speed>"


def _moment(at: datetime) -> str:
    """A time as XML has it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
