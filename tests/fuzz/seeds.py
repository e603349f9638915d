"""The sound half of the corpus: small files that together have everything our readers look at. `python -m tests.fuzz.seeds`.

What fuzzing found lies beside them, under a name that tells what it was; this touches only its own, `seed-*`.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator, Mapping
from datetime import timedelta

from services.activities.domain.strava import written
from tests.fuzz.targets import CORPUS
from tests.support import archives
from tests.support.recordings import (
    START,
    FitWriter,
    Session,
    a_run,
    crc16,
    fit,
    fit_time,
    gpx,
    gpx_of_segments,
    iso,
    tcx,
)
from tests.support.strava import told_run

RUN = a_run(6)
LATER = a_run(4, start=START + timedelta(hours=1))
FIT = fit(Session(RUN, pauses=[(2, 4)], distance=18, ascent=3), Session(LATER, sport=2))
DAY = START.isoformat().replace("+00:00", "Z")


def fit_files() -> Iterator[tuple[str, bytes]]:
    """FIT, with what its protocol has beside plain messages."""
    yield "two-sessions", FIT
    yield "cut-off", FIT[:-40]
    yield "wrong-checksum", FIT[:-1] + b"\0"
    yield "chained", fit(Session(RUN)) + fit(Session(LATER))
    yield "settings", fit(Session(RUN), kind=2)
    yield "totals-only", fit(Session([], start=START, elapsed=1800, distance=5000))
    yield "developer-fields", framed(_developer_fields())
    yield "compressed-times", framed(_compressed_times())
    yield "big-endian", framed(_big_endian())
    yield "texts", framed(_texts())


def framed(data: bytes) -> bytes:
    """Messages with a header and a checksum."""
    header = struct.pack("<BBHI4sH", 14, 0x20, 2132, len(data), b".FIT", 0)
    return header + data + struct.pack("<H", crc16(header + data))


def _session() -> bytes:
    writer = FitWriter()
    writer.message(18, at=(253, (0x86, "I", 0), fit_time(START) + 5), start=(2, (0x86, "I", 0), fit_time(START)))
    return bytes(writer.data)


def _developer_fields() -> bytes:
    """A description (206) of a field by an application (207), and records that have it."""
    application = b"\x40\0\0\xcf\0\x02\x01\x10\x0d\x03\x01\x02" + b"\0" + bytes(16) + b"\0"
    described = b"\x41\0\0\xce\0\x04\0\x01\x02\x01\x01\x02\x02\x01\x02\x03\x06\x07" + b"\x01\0\0\x88Form\0\0"
    shape = b"\x62\0\0\x14\0\x02\xfd\x04\x86\x03\x01\x02" + b"\x01\0\x04\0"
    records = b"".join(struct.pack("<BIBf", 2, fit_time(START) + at, 140, 0.5) for at in range(5))
    return application + described + shape + records + _session()


def _compressed_times() -> bytes:
    """One whole time, and then records whose header has five bits of it."""
    writer = FitWriter()
    writer.message(20, at=(253, (0x86, "I", 0), fit_time(START)), heart_rate=(3, (0x02, "B", 0), 140))
    shape = b"\x41\0\0\x14\0\x01\x03\x01\x02"
    records = b"".join(bytes([0xA0 | (fit_time(START) + at) & 0x1F, 140]) for at in range(1, 40, 5))
    return bytes(writer.data) + shape + records


def _big_endian() -> bytes:
    shape = b"\x40\0\x01\0\x14\x03\xfd\x04\x86\0\x04\x85\x01\x04\x85"
    places = [struct.pack(">BIii", 0, fit_time(START) + at, 582_800_000 + 300 * at, 28_000_000) for at in range(5)]
    return shape + b"".join(places) + _session()


def _texts() -> bytes:
    """Who made it, with a name that is none, and early devices' speed and distance in three bytes."""
    maker = b"\x40\0\0\0\0\x02\0\x01\0\x08\x10\x07" + b"\0\x04" + b"Run <b>\x1b\xe2\x80\xae\0\0\0\0\0"[:15] + b"\0"
    shape = b"\x41\0\0\x14\0\x02\xfd\x04\x86\x08\x03\x0d"
    records = b"".join(struct.pack("<BI3B", 1, fit_time(START) + at, 44, 16 * at & 0xFF, at) for at in range(5))
    return maker + shape + records


def xml_files() -> Iterator[tuple[str, bytes]]:
    """GPX by several makers."""
    yield "run", gpx(RUN)
    yield "segments", gpx_of_segments([RUN, LATER], name="&lt;b&gt;&#x202e;", kind="9")
    yield "utf-16", gpx(RUN[:3]).decode().replace("UTF-8", "UTF-16").encode("utf-16")
    yield "packed", gzip.compress(gpx(RUN[:3]), mtime=0)
    yield "route", b'<gpx><rte><rtept lat="1" lon="2"/></rte><wpt lat="1" lon="2"><name>x</name></wpt></gpx>'
    yield "entity", b'<!DOCTYPE gpx [<!ENTITY a "b">]><gpx><trk><name>&a;</name></trk></gpx>'


def tcx_files() -> Iterator[tuple[str, bytes]]:
    """TCX: runs, what is none, and laps without samples."""
    yield "laps", tcx([RUN[:3], RUN[3:]])
    lap = f'<Lap StartTime="{iso(START)}"><TotalTimeSeconds>60</TotalTimeSeconds><DistanceMeters>99</DistanceMeters></Lap>'
    activity = f'<Activity Sport="Biking">{lap}<Notes>a\tb</Notes></Activity>'
    yield (
        "totals-only",
        f"<TrainingCenterDatabase><Activities>{activity * 2}</Activities></TrainingCenterDatabase>".encode(),
    )
    yield "course", b"<TrainingCenterDatabase><Courses><Course/></Courses></TrainingCenterDatabase>"


def told_by_strava() -> Iterator[tuple[str, bytes]]:
    """What Strava told, as it is written down: with samples, and without."""
    yield "run", written(told_run(RUN, device="A watch", calories_kcal=300, average_heart_rate_bpm=140))
    yield "totals-only", written(told_run(RUN, streams=None, sport_type="WeightTraining", distance_m=0))
    yield "uneven", written(told_run(RUN, streams={"time_s": [0, 1, 2], "power_w": [1, None]}))


def gzips() -> Iterator[tuple[str, bytes]]:
    """Gzip in one member and in several, nested, cut off, with something behind it."""
    one = gzip.compress(b"one" * 50, mtime=0)
    yield "one", one
    yield "two", one + gzip.compress(b"two", mtime=0)
    yield "nested", gzip.compress(one, mtime=0)
    yield "cut-off", one[:-5]
    yield "behind", one + b"something else"
    yield "bomb", gzip.compress(bytes(3_000_000), 9, mtime=0)
    yield "named", b"\x1f\x8b\x08\x0c\0\0\0\0\0\xff\x02\0\x05\0name\0" + gzip.compress(b"x", mtime=0)[10:]


def zips() -> Iterator[tuple[str, bytes]]:
    """Archives of every kind, and some that lie."""
    run = gzip.compress(gpx(RUN[:2]), mtime=0)
    files = archives.zipped({"a.gpx": gpx(RUN[:2]), "b/c.fit": FIT[:60]})
    yield "files", files
    yield (
        "strava",
        archives.strava([("1.gpx.gz", "Run", "Run", "About", "Shoes", run), ("", "Gym", "Workout", "", "", b"")]),
    )
    yield "garmin", archives.garmin([{"1.fit": FIT[:60]}], {int(START.timestamp() * 1000): "Run"})
    yield "garmin-stored", archives.garmin([{"1.fit": FIT[:60]}], {}, 0)
    yield "takeout", archives.zipped(dict(_takeout()))
    yield "encrypted", archives.encrypted(files)
    yield "claiming", archives.claiming(files, 60_000)
    yield "hostile", archives.zipped([archives.link("l", "/etc"), (archives.named("../x"), b"y"), ("n.zip", files)])


def _takeout() -> Iterator[tuple[str, bytes]]:
    yield "manifest.json", b'{"format": "runnerly-takeout", "version": 1}'
    for number, (_, content) in enumerate(documents()):
        folder = "gear" if b'"kind": "shoes"' in content else "privacy-zones" if b"radius" in content else "activities"
        yield f"{folder}/{number}.json", content


def tables() -> Iterator[tuple[str, bytes]]:
    """Strava's table, in two languages, and broken ones."""
    for name, header in (("english", archives.STRAVA_HEADER), ("german", archives.STRAVA_HEADER_GERMAN)):
        row = ["1", "1 Mar 2026", "Run <b>", "Run", '"a\nb"', *["1.0"] * 6, "Shoes", "activities/1.fit", *["1.0"] * 5]
        yield name, ",".join(header).encode() + b"\n" + ",".join(row).encode() + b"\n"
    yield "quotes", b'a,"b\nc,activities/1.gpx\r"\0,'


def documents() -> Iterator[tuple[str, bytes]]:
    """What a takeout and Garmin's export have in JSON."""
    summary = {
        "sport": "running",
        "title": "Run",
        "started_at": DAY,
        "timezone": "Europe/Paris",
        "local_date": "2026-03-01",
    }
    numbers = {"distance_m": 5000.0, "elapsed_s": 1800.0, "moving_s": 1700.0, "calories_kcal": 300}
    source = {"kind": "manual", "name": None, "format": None, "sha256": None}
    taken = {**summary, **numbers, "source": source, "created_at": DAY, "visibility": "public", "perceived_exertion": 5}
    garmin = [{"summarizedActivitiesExport": [{"name": "Run", "description": "x", "beginTimestamp": 1.7e12}]}]
    shoes = {"id": "1", "name": "Shoes", "kind": "shoes", "retire_at_m": 8e5, "default_for": ["running"]}
    for name, value in {
        "activity": taken,
        "from-file": {**taken, "original": "originals/1.fit", "session": 1},
        "gear": shoes,
        "zone": {"name": "Home", "lat": 48.85, "lon": 2.35, "radius_m": 500},
        "strava-removed": {"strava_ids": ["1", "x"]},
        "manifest": {"format": "runnerly-takeout", "version": 1},
        "garmin": garmin,
    }.items():
        yield name, json.dumps(value).encode()


def forms() -> Iterator[tuple[str, bytes]]:
    """Forms with a file, with other things, and cut off."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="run.gpx"\r\nContent-Type: a/b\r\n\r\n'
    yield "file", head + b"content\r\n--b--\r\n"
    yield "two-files", head + b"one\r\n" + head + b"two\r\n--b--\r\n"
    yield "a-field", head.replace(b'; filename="run.gpx"', b"") + b"x\r\n--b--"
    yield "script", head.replace(b'filename="', b"filename*=UTF-8''%e2%82%ac; filename=\"") + b"x\r\n--b--\r\n"
    yield "cut-off", head + b"content"


SEEDS: Mapping[str, tuple[tuple[str, bytes], ...]] = {
    "fit": tuple(fit_files()),
    "gpx": tuple(xml_files()),
    "tcx": tuple(tcx_files()),
    "strava": tuple(told_by_strava()),
    "gzip": tuple(gzips()),
    "archive": tuple(zips()),
    "table": tuple(tables()),
    "json": tuple(documents()),
    "form": tuple(forms()),
}


def main() -> None:
    """Write the seeds that are missing, and remove those that are none any more. To renew one, remove it first."""
    for target, seeds in SEEDS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {folder / f"seed-{name}": content for name, content in seeds}
        for old in set(folder.glob("seed-*")) - wanted.keys():
            old.unlink()
        for path in wanted.keys() - set(folder.iterdir()):
            path.write_bytes(wanted[path])


if __name__ == "__main__":
    main()
