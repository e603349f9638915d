"""Files of activities that tests write: GPX, TCX and FIT of the same made-up run."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
METRES_A_DEGREE = 111_320.0
FIT_EPOCH = datetime(1989, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Point:
    """One sample; None is not recorded. Cadence is of one leg, as devices count it."""

    at: datetime
    lat: float | None = None
    lon: float | None = None
    altitude: float | None = None
    heart_rate: int | None = None
    cadence: int | None = None
    power: int | None = None
    distance: float | None = None
    speed: float | None = None


def a_run(
    seconds: int = 1800,
    *,
    speed: float = 3.0,
    start: datetime = START,
    lat: float = 48.85,
    lon: float = 2.35,
    every: int = 1,
    climb: float = 0.0,
) -> list[Point]:
    """A run due north at an even speed, with a sample each `every` seconds; `climb` is metres up a metre."""
    points = []
    for second in range(0, seconds + 1, every):
        along = speed * second
        points.append(
            Point(
                at=start + timedelta(seconds=second),
                lat=lat + along / METRES_A_DEGREE,
                lon=lon,
                altitude=100.0 + climb * along,
                heart_rate=140 + second % 10,
                cadence=85,
                distance=along,
                speed=speed,
            )
        )
    return points


def without(points: Iterable[Point], *fields: str) -> list[Point]:
    """The same points with these fields not recorded."""
    return [replace(point, **dict.fromkeys(fields)) for point in points]  # type: ignore[arg-type]


def gpx(points: Sequence[Point], *, name: str | None = "Morning run", kind: str | None = "running") -> bytes:
    """A GPX 1.1 file of one track and segment, with Garmin's extension."""
    return gpx_of_segments([points], name=name, kind=kind)


def gpx_of_segments(segments: Sequence[Sequence[Point]], *, name: str | None = None, kind: str | None = None) -> bytes:
    """A GPX 1.1 file of one track with several segments."""
    about = (f"<name>{name}</name>" if name else "") + (f"<type>{kind}</type>" if kind else "")
    body = "".join(f"<trkseg>{''.join(map(_trkpt, points))}</trkseg>" for points in segments)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="Runnerly\'s tests" '
        'xmlns="http://www.topografix.com/GPX/1/1" '
        'xmlns:tpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v1">'
        f"<trk>{about}{body}</trk></gpx>\n"
    ).encode()


def _trkpt(point: Point) -> str:
    altitude = "" if point.altitude is None else f"<ele>{point.altitude}</ele>"
    extension = "".join(
        f"<tpx:{name}>{value}</tpx:{name}>"
        for name, value in (("hr", point.heart_rate), ("cad", point.cadence), ("power", point.power))
        if value is not None
    )
    return (
        f'<trkpt lat="{point.lat}" lon="{point.lon}">{altitude}<time>{iso(point.at)}</time>'
        f"<extensions><tpx:TrackPointExtension>{extension}</tpx:TrackPointExtension></extensions></trkpt>"
    )


def tcx(laps: Sequence[Sequence[Point]], *, sport: str = "Running") -> bytes:
    """A TCX file of one activity."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">'
        f'<Activities><Activity Sport="{sport}"><Id>{iso(laps[0][0].at)}</Id>'
        f"{''.join(map(_lap, laps))}<Creator><Name>Tests</Name></Creator></Activity></Activities>"
        "</TrainingCenterDatabase>"
    ).encode()


def _lap(points: Sequence[Point]) -> str:
    first, last = points[0], points[-1]
    return (
        f'<Lap StartTime="{iso(first.at)}">'
        f"<TotalTimeSeconds>{(last.at - first.at).total_seconds()}</TotalTimeSeconds>"
        f"<DistanceMeters>{(last.distance or 0) - (first.distance or 0)}</DistanceMeters><Calories>100</Calories>"
        f"<Track>{''.join(map(_trackpoint, points))}</Track></Lap>"
    )


def _trackpoint(point: Point) -> str:
    place = (
        f"<Position><LatitudeDegrees>{point.lat}</LatitudeDegrees>"
        f"<LongitudeDegrees>{point.lon}</LongitudeDegrees></Position>"
        if point.lat is not None
        else ""
    )
    heart = f"<HeartRateBpm><Value>{point.heart_rate}</Value></HeartRateBpm>" if point.heart_rate else ""
    plain = "".join(
        f"<{name}>{value}</{name}>"
        for name, value in (
            ("AltitudeMeters", point.altitude),
            ("DistanceMeters", point.distance),
            ("Cadence", point.cadence),
        )
        if value is not None
    )
    return f"<Trackpoint><Time>{iso(point.at)}</Time>{place}{plain}{heart}</Trackpoint>"


def iso(at: datetime) -> str:
    """A time as GPX and TCX write it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a FIT file. `pauses` are (from, to) in seconds from its start; totals None are not written."""

    points: Sequence[Point]
    sport: int = 1  # running; 2 is cycling, 5 swimming
    start: datetime | None = None
    pauses: Sequence[tuple[int, int]] = ()
    lap_starts: Sequence[int] = (0,)
    distance: float | None = None
    ascent: int | None = None
    elapsed: float | None = None

    @property
    def begin(self) -> datetime:
        """When it began."""
        return self.start or self.points[0].at

    @property
    def end(self) -> datetime:
        """When it ended."""
        return self.points[-1].at if self.points else self.begin + timedelta(seconds=self.elapsed or 0)


# FIT's base types: number and `struct` code, and the value that says "not recorded"
_ENUM, _U8 = (0x00, "B", 0xFF), (0x02, "B", 0xFF)
_U16, _S32, _U32 = (0x84, "H", 0xFFFF), (0x85, "i", 2**31 - 1), (0x86, "I", 2**32 - 1)


class FitWriter:
    """FIT messages, one after another (the protocol's section on the record format); little-endian."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._defined: dict[int, tuple[tuple[int, tuple[int, str, int]], ...]] = {}

    def message(self, number: int, **fields: tuple[int, tuple[int, str, int], float | None]) -> None:
        """A message of this global number; each field is (number, base type, raw value)."""
        local = number % 16
        shape = tuple((field, kind) for field, kind, _ in fields.values())
        if self._defined.get(local) != shape:
            self._defined[local] = shape
            self.data += struct.pack("<BBBHB", 0x40 | local, 0, 0, number, len(shape))
            for field, (base, code, _) in shape:
                self.data += struct.pack("BBB", field, struct.calcsize(code), base)
        self.data.append(local)
        for _, (_, code, invalid), value in fields.values():
            self.data += struct.pack("<" + code, invalid if value is None else round(value))

    def file(self) -> bytes:
        """The whole file: header, data and checksums."""
        header = struct.pack("<BBHI4s", 14, 0x20, 2132, len(self.data), b".FIT")
        header += struct.pack("<H", crc16(header))
        return header + bytes(self.data) + struct.pack("<H", crc16(header + bytes(self.data)))


def fit(*sessions: Session, kind: int = 4, utc_offset: int | None = None) -> bytes:
    """A FIT activity (`kind` 4) of these sessions."""
    writer = FitWriter()
    begin, end = sessions[0].begin, sessions[-1].end
    writer.message(0, type=(0, _ENUM, kind), made=(1, _U16, 1), product=(2, _U16, 3122), at=(4, _U32, fit_time(begin)))
    for session in sessions:
        _write_session(writer, session)
    local = None if utc_offset is None else fit_time(end) + utc_offset
    writer.message(34, at=(253, _U32, fit_time(end)), count=(1, _U16, len(sessions)), local=(5, _U32, local))
    return writer.file()


def _write_session(writer: FitWriter, session: Session) -> None:
    begin, end = fit_time(session.begin), fit_time(session.end)
    events = [(begin, 0)]
    for stop, go in session.pauses:
        events += [(begin + stop, 4), (begin + go, 0)]
    for at, kind in (*events, (end, 4)):
        writer.message(21, at=(253, _U32, at), event=(0, _ENUM, 0), type=(1, _ENUM, kind))
    for point in session.points:
        writer.message(
            20,
            at=(253, _U32, fit_time(point.at)),
            lat=(0, _S32, semicircles(point.lat)),
            lon=(1, _S32, semicircles(point.lon)),
            altitude=(2, _U16, None if point.altitude is None else (point.altitude + 500) * 5),
            heart_rate=(3, _U8, point.heart_rate),
            cadence=(4, _U8, point.cadence),
            distance=(5, _U32, None if point.distance is None else point.distance * 100),
            speed=(6, _U16, None if point.speed is None else point.speed * 1000),
            power=(7, _U16, point.power),
        )
    for second in session.lap_starts:
        writer.message(19, at=(253, _U32, end), start=(2, _U32, begin + second), event=(0, _ENUM, 9))
    elapsed = (session.end - session.begin).total_seconds() * 1000
    writer.message(
        18,
        at=(253, _U32, end),
        start=(2, _U32, begin),
        elapsed=(7, _U32, elapsed),
        timer=(8, _U32, elapsed - 1000 * sum(stop - start for start, stop in session.pauses)),
        distance=(9, _U32, None if session.distance is None else session.distance * 100),
        sport=(5, _ENUM, session.sport),
        ascent=(22, _U16, session.ascent),
    )


def fit_time(at: datetime) -> int:
    """Seconds since FIT's epoch."""
    return int((at - FIT_EPOCH).total_seconds())


def semicircles(degrees: float | None) -> float | None:
    """Degrees in FIT's unit."""
    return None if degrees is None else degrees * 2**31 / 180


def crc16(data: bytes, crc: int = 0) -> int:
    """CRC-16/ARC, bit by bit: slow, and independent of the program's own."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc
