"""Files that were made to hurt: entities, depth, lies about sizes, what swells. A clear end each, at little cost."""

from __future__ import annotations

import gzip
import struct
import time

import pytest

from services.activities.domain.problems import NotAnActivity
from services.activities.formats import gunzip
from services.activities.formats.detect import read
from services.activities.parsers.packed import parsed_file
from services.activities.parsers.parsed import ParsedFile
from services.activities.parsers.pool import Limits
from tests.fuzz.seeds import framed
from tests.fuzz.targets import can_be_kept
from tests.support.recordings import START, FitWriter, Session, a_run, fit, fit_time, gpx, tcx
from tests.unit.activities.test_parser_pool import Told, pool_of

SLOWEST_S = 3.0  # of computing, where most take milliseconds: the machines that run this are shared
RUN = a_run(30)
POINTS = "".join(f'<trkpt lat="48.{n}" lon="2.35"><time>2026-03-01T07:0{n}:00Z</time></trkpt>' for n in range(5))
TRACK = f"<trk><name>Täglich</name><trkseg>{POINTS}</trkseg></trk>"


def taken(content: bytes) -> ParsedFile:
    """What a worker makes of a file, which can be kept."""
    parsed = parsed_file(content, "0" * 64, {}, level=1)
    can_be_kept(parsed)
    return parsed


def refused(content: bytes) -> str:
    """Why a file is refused, at little cost."""
    begin = time.process_time()
    with pytest.raises(NotAnActivity) as refusal:
        parsed_file(content, "0" * 64, {}, level=1)
    assert time.process_time() - begin < SLOWEST_S
    return refusal.value.detail


# -- XML


def laughs(levels: int = 12, each: int = 10) -> bytes:
    """An entity of entities of entities."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * each}">' for n in range(1, levels))
    return f'<!DOCTYPE gpx [<!ENTITY l0 "ha">{entities}]><gpx><name>&l{levels - 1};</name>{TRACK}</gpx>'.encode()


def document(doctype: str, name: str = "&x;") -> bytes:
    return f"<?xml version='1.0'?>{doctype}<gpx><trk><name>{name}</name>{POINTS}</trk></gpx>".encode()


BENT = {
    "a billion laughs": laughs(),
    "a long entity many times": document(f'<!DOCTYPE gpx [<!ENTITY x "{"a" * 100_000}">]>', "&x;" * 10_000),
    "an entity of itself": document('<!DOCTYPE gpx [<!ENTITY x "&x;">]>'),
    "an entity in an attribute": b'<!DOCTYPE gpx [<!ENTITY x "1">]><gpx><trk><trkpt lat="&x;" lon="2"/></trk></gpx>',
    "a file of ours": document('<!DOCTYPE gpx [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "a parameter entity": document('<!DOCTYPE gpx [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>', "y"),
    "a document type elsewhere": document('<!DOCTYPE gpx SYSTEM "http://127.0.0.1:9/gpx.dtd">', "y"),
    "a document type alone": document("<!DOCTYPE gpx>", "y"),
    "depth": b"<gpx>" + b"<a>" * 200_000,
    "depth that ends": b"<gpx>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</gpx>",
    "a long attribute": b'<gpx creator="' + b"x" * 12_000_000 + b'"/>',
    "many attributes": b"<gpx " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"/>",
    "many namespaces": b"<gpx " + b" ".join(b'xmlns:a%d="u%d"' % (n, n) for n in range(20_000)) + b"/>",
    "a long name": b"<" + b"g" * 200_000 + b"/>",
    "a long text": b"<gpx><trk><name>" + b"x" * 12_000_000 + b"</name></trk></gpx>",
    "a zero byte": gpx(RUN, name="a\0b"),
    "a zero byte by its number": gpx(RUN, name="a&#0;b"),
    "half of a pair": gpx(RUN, name="a&#xD800;b"),
    "an encoding that is none": b'<?xml version="1.0" encoding="klingon"?><gpx/>',
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-gpx+AD4APA-/gpx+AD4-',
    "a lie about UTF-16": f'<?xml version="1.0" encoding="UTF-16"?><gpx>{TRACK}</gpx>'.encode(),
    "a lie about UTF-8": f'<?xml version="1.0" encoding="UTF-8"?><gpx>{TRACK}</gpx>'.encode("latin-1"),
    "millions of elements": b"<gpx>" + b"<a/>" * 2_600_000 + b"</gpx>",
}


@pytest.mark.parametrize("what", BENT)
def test_bent_xml_is_refused_and_tells_nothing_of_this_machine(what: str) -> None:
    assert "root:" not in refused(BENT[what])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_an_encoding_that_is_what_it_says_is_read(encoding: str) -> None:
    told = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    content = f'<?xml version="1.0" encoding="{told}"?>\n<gpx>{TRACK}</gpx>'.encode(encoding)
    assert taken(content).activities[0].summary.title == "Täglich"


def test_an_inclusion_is_an_element_like_any_other() -> None:
    inclusion = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    (activity,) = taken(f"<gpx>{inclusion}{TRACK}</gpx>".encode()).activities
    assert activity.summary.title == "Täglich"
    assert activity.summary.description is None


# -- FIT

RECORD = b"\x40\0\0\x14\0\x02\xfd\x04\x86\x03\x01\x02"  # a time, and a heart rate
RECORDS = RECORD + b"".join(struct.pack("<BIB", 0, fit_time(START) + second, 140) for second in range(20))


def header(claimed: int, length: int = 14) -> bytes:
    return struct.pack("<BBHI4s", length, 0x20, 2132, claimed, b".FIT") + b"\0\0"[: length - 12]


def counting(count: int) -> bytes:
    """A session that says that it has so much of everything."""
    writer = FitWriter()
    u16, u32 = (0x84, "H", 0), (0x86, "I", 0)
    times = {"at": (253, u32, fit_time(START) + 20), "start": (2, u32, fit_time(START))}
    totals = {
        "elapsed": (7, u32, count),
        "timer": (8, u32, count),
        "distance": (9, u32, count),
        "cycles": (10, u32, count),
    }
    counts = {
        "laps": (26, u16, count & 0xFFFF),
        "lengths": (33, u16, count & 0xFFFF),
        "ascent": (22, u16, count & 0xFFFF),
    }
    writer.message(18, **times, **totals, **counts)  # type: ignore[arg-type]
    return bytes(writer.data)


@pytest.mark.parametrize("claimed", [0, 1, 20, len(RECORDS) - 1, len(RECORDS) + 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("length", [12, 14])
def test_a_fit_file_that_lies_about_its_size_is_read_as_far_as_it_is_whole_or_refused(
    claimed: int, length: int
) -> None:
    content = header(claimed, length) + RECORDS + b"\0\0"
    if 0 < claimed < 30:
        assert refused(content)
    else:
        assert taken(content).activities[0].points == 20 - (0 < claimed < len(RECORDS))


@pytest.mark.parametrize("length", [0, 11, 13, 15, 200, 255])
def test_a_fit_file_that_lies_about_its_header_is_read_or_refused(length: int) -> None:
    content = bytes([length]) + header(len(RECORDS))[1:] + RECORDS + b"\0\0"
    try:
        taken(content)
    except NotAnActivity as refusal:
        assert refusal.detail  # noqa: PT017 - either is a good end


LYING = {
    "a field larger than the file": b"\x40\0\0\x14\0\x01\xfd\xff\x86\0",
    "a field of three quarters": b"\x40\0\0\x14\0\x01\xfd\x03\x86\0abc",
    "a field of nothing": b"\x40\0\0\x14\0\x01\xfd\0\x86\0",
    "a type that is none": b"\x40\0\0\x14\0\x01\xfd\x04\x7f\0abcd",
    "more fields than there are bytes": b"\x40\0\0\x14\0\xff\xfd\x04\x86",
    "a message of no definition": b"\x05\x01\x02\x03",
    "a developer's field that nobody described": b"\x60\0\0\x14\0\x01\xfd\x04\x86\x01\x07\x04\x09\0" + bytes(8),
    "a description of a type that is none": b"\x40\0\0\xce\0\x03\0\x01\x02\x01\x01\x02\x02\x01\x02\0\0\0\x7f",
    "definitions only": b"\x40\0\0\x14\0\0" * 20_000,
    "messages of nothing": b"\x40\0\0\x14\0\0" + bytes(50_000),
    "a time in five bits of no time": b"\x40\0\0\x14\0\x01\x03\x01\x02" + b"\x80\x8c" * 100,
}


@pytest.mark.parametrize("what", LYING)
def test_fit_messages_that_lie_are_refused_and_cost_nobody_what_came_before(what: str) -> None:
    assert refused(framed(LYING[what]))
    assert taken(framed(RECORDS + LYING[what])).activities[0].points >= 20


@pytest.mark.parametrize("count", [65_535, 2**31 - 1, 2**32 - 2])
def test_counts_in_the_billions_are_only_numbers(count: int) -> None:
    summary = taken(framed(RECORDS + counting(count))).activities[0].summary
    assert summary.elapsed_s == 19.0
    assert summary.distance_m <= 5_000_000
    assert 0 <= (summary.ascent_m or 0) <= 100_000


@pytest.mark.parametrize("behind", [b"garbage", bytes(1000), header(2**32 - 1), fit(Session(RUN))[:-30]])
def test_what_is_behind_a_fit_file_costs_nobody_the_file(behind: bytes) -> None:
    assert taken(fit(Session(RUN)) + behind).activities[0].points == 31


def test_texts_that_are_none_are_made_plain() -> None:
    for name in (b"\x1b[31mred\x07", b"\xff\xfe\xfd", "\u202egnp.exe".encode(), b"<script>", b"\n\n"):
        maker = b"\x4f\0\0\0\0\x02\0\x01\0\x08\x10\x07" + b"\x0f\x04" + name[:15].ljust(16, b"\0")
        device = taken(framed(maker + RECORDS)).activities[0].summary.device
        assert device is None or device.isprintable()


async def test_a_fit_file_that_swells_in_memory_is_refused_and_the_next_one_read() -> None:
    """Two bytes a message, and two hundred for what is made of it."""
    pool = pool_of(Told(), Limits(workers=1, memory_mib=96))
    pool.start()
    try:
        swelling = header(6_000_000) + b"\x40\0\0\x14\0\x01\x03\x01\x02" + b"\0\x80" * 3_000_000
        with pytest.raises(NotAnActivity, match="memory"):
            await pool.parse(swelling)
        assert (await pool.parse(gpx(RUN))).format == "gpx"
    finally:
        await pool.close()


# -- gzip


def test_a_packed_file_is_read_with_whatever_lies_behind_it() -> None:
    packed = gzip.compress(gpx(RUN))
    for behind in (b"", b"\0" * 512, b"garbage", packed[:0]):
        assert taken(packed + behind).activities[0].points == 31
    halves = gzip.compress(gpx(RUN)[:700]) + gzip.compress(gpx(RUN)[700:])
    assert taken(halves).activities[0].points == 31


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(gzip.compress(gpx(RUN))), "compressed twice"),
        (gzip.compress(bytes(80 * 1024**2), 9), "larger than 64 MiB"),
        (gzip.compress(bytes(1024**2), 9) * 80, "larger than 64 MiB"),
        (gzip.compress(gpx(RUN))[:-1], "cut off"),
        (gzip.compress(gpx(RUN))[:50], "cut off"),
        (gzip.compress(gpx(RUN)) + gzip.compress(gpx(RUN))[:30], "cut off"),
        (gzip.compress(gpx(RUN))[:-8] + b"\0" * 8, "broken"),
        (b"\x1f\x8b\x08\xff" + bytes(100), "cut off|broken"),
        (b"\x1f\x8b", "cut off"),
        (gzip.compress(b""), "empty"),
        (gzip.compress(b"") * 200_000, "empty"),
    ],
    ids=["twice", "bomb", "bombs", "a byte", "cut off", "the second", "checksum", "header", "magic", "empty", "many"],
)
def test_gzip_that_swells_or_is_broken_is_refused(content: bytes, why: str) -> None:
    begin = time.process_time()
    with pytest.raises(NotAnActivity, match=why):
        read(content)
    assert time.process_time() - begin < SLOWEST_S
    assert content[:2] == gunzip.MAGIC


# -- names

NAMES = {
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "a\u202egnp.exe": "agnp.exe",
    "👩\u200d🚀 run": "👩\u200d🚀 run",
    " two \n\t lines\u2028three\x85 ": "two lines three",
    "\u2066\u2069": None,
    "x" * 5000: "x" * 200,
    "é" * 250: "é" * 200,
    "'; DROP TABLE runs; --": "'; DROP TABLE runs; --",
    "{{7*7}} ${7*7} $where": "{{7*7}} ${7*7} $where",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_in_a_gpx_file_is_kept_as_a_plain_line(name: str) -> None:
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")
    (activity,) = taken(gpx(RUN, name=escaped)).activities
    assert activity.summary.title == (NAMES[name] or "Morning run")


def test_a_tcx_file_with_notes_of_a_stranger_is_plain_too() -> None:
    notes = "<Notes>&lt;b&gt;\u202eback\x7f\x85</Notes><Creator>"
    (activity,) = taken(tcx([RUN]).replace(b"<Creator>", notes.encode())).activities
    assert activity.summary.description == "<b>back"
