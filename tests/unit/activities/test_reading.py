"""What is read from a file, whatever its name; and that what is no activity is refused with a reason."""

from __future__ import annotations

import gzip
import zlib
from datetime import timedelta

import numpy as np
import pytest

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording
from services.activities.formats import gunzip
from services.activities.formats.detect import read
from tests.support.recordings import START, Session, a_run, fit, gpx, gpx_of_segments, tcx, without

RUN = a_run(600)


def only(content: bytes) -> Recording:
    (recording,) = read(content)
    return recording


@pytest.mark.parametrize("content", [gpx(RUN), tcx([RUN]), fit(Session(RUN))], ids=["gpx", "tcx", "fit"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_each_format_gives_the_same_samples(content: bytes, packed: bool) -> None:
    recording = only(gzip.compress(content) if packed else content)
    assert recording.sport == "running"
    assert np.array_equal(recording.time - START.timestamp(), np.arange(601))
    for name, expected in (("lat", [p.lat for p in RUN]), ("lon", [p.lon for p in RUN])):
        assert np.allclose(recording.series[name], np.array(expected, dtype=float), atol=1e-7)
    assert np.allclose(recording.series["altitude"], 100.0)
    assert list(recording.series["heart_rate"][:3]) == [140, 141, 142]
    assert list(recording.series["cadence"][:2]) == [85, 85]


def test_gpx_tells_its_name_sport_and_maker() -> None:
    recording = only(gpx(RUN, name="  Around\n the   lake ", kind="Trail Running"))
    assert (recording.title, recording.sport, recording.device) == ("Around the lake", "running", "Runnerly's tests")


@pytest.mark.parametrize(
    ("kind", "sport"),
    [("9", "running"), ("1", "cycling"), ("Biking", "cycling"), ("hiking", "hiking"), ("curling", "other"), ("", None)],
)
def test_the_sports_of_other_sites_are_known(kind: str, sport: str | None) -> None:
    assert only(gpx(RUN, kind=kind)).sport == sport


def test_gpx_segments_are_broken_off_from_each_other() -> None:
    later = a_run(60, start=START + timedelta(hours=1))
    recording = only(gpx_of_segments([RUN, later]))
    assert recording.breaks is not None
    assert np.flatnonzero(recording.breaks).tolist() == [601]


def test_gpx_10_without_namespaces_or_extensions_is_read() -> None:
    content = b"""<gpx><trk><trkseg>
        <trkpt lat="1" lon="2"><ele>3</ele><time>2020-01-01T10:00:00+02:00</time><speed>1.5</speed></trkpt>
        <trkpt lat="1.001" lon="2"><time>2020-01-01T10:00:30</time></trkpt></trkseg></trk></gpx>"""
    recording = only(content)
    assert recording.time.tolist() == [1577865600.0, 1577872830.0]
    assert recording.series["speed"][0] == 1.5
    assert np.isnan(recording.series["altitude"][1])


@pytest.mark.parametrize("lat", ["nan", "inf", "1e400", "", "north"])
def test_what_is_no_number_was_not_recorded(lat: str) -> None:
    content = gpx(RUN).replace(f'lat="{RUN[3].lat}"'.encode(), f'lat="{lat}"'.encode())
    assert np.flatnonzero(np.isnan(only(content).series["lat"])).tolist() == [3]


def test_a_point_without_a_longitude_has_no_place() -> None:
    content = gpx(RUN).replace(f'lat="{RUN[3].lat}" lon="{RUN[3].lon}"'.encode(), f'lat="{RUN[3].lat}"'.encode())
    assert np.isnan(only(content).series["lon"][3])


def test_waypoints_and_their_times_are_not_samples() -> None:
    waypoint = b'<wpt lat="1" lon="2"><ele>9</ele><time>2001-01-01T00:00:00Z</time><name>Well</name></wpt>'
    recording = only(
        gpx(RUN, name=None).replace(b"<trk>", waypoint + b"<trk>").replace(b"</trk>", b"</trk>" + waypoint)
    )
    assert len(recording.time) == 601
    assert recording.title is None


def test_tcx_has_laps_and_joins_their_tracks() -> None:
    recording = only(tcx([RUN[:301], RUN[301:]]))
    assert recording.lap_starts == (START.timestamp(), START.timestamp() + 301)
    assert recording.breaks is not None
    assert not recording.breaks.any()
    assert recording.totals.calories_kcal == 200
    assert recording.device == "Tests"


def test_a_second_track_in_a_tcx_lap_is_the_timer_started_again() -> None:
    content = tcx([RUN]).replace(b"</Trackpoint>", b"</Trackpoint></Track><Track>", 1)
    breaks = only(content).breaks
    assert breaks is not None
    assert np.flatnonzero(breaks).tolist() == [1]


def test_fit_tells_sessions_pauses_laps_and_totals() -> None:
    recording = only(fit(Session(RUN, pauses=[(100, 130)], lap_starts=[0, 300], distance=1810, ascent=12)))
    begin = START.timestamp()
    assert recording.pauses == ((begin + 100, begin + 130),)
    assert recording.lap_starts == (begin, begin + 300)
    assert (recording.totals.distance_m, recording.totals.ascent_m, recording.totals.timer_s) == (1810.0, 12.0, 570.0)
    assert recording.device == "Garmin 3122"


def test_a_fit_file_of_several_sports_has_a_recording_each() -> None:
    ride = a_run(600, speed=9.0, start=START + timedelta(seconds=601))
    run, bike = read(fit(Session(RUN), Session(ride, sport=2)))
    assert (run.sport, bike.sport) == ("running", "cycling")
    assert (len(run.time), len(bike.time)) == (601, 601)


def test_a_fit_session_without_samples_keeps_its_totals() -> None:
    recording = only(fit(Session([], start=START, elapsed=1800)))
    assert len(recording.time) == 0
    assert recording.totals.elapsed_s == 1800.0


def test_fit_tells_the_offset_of_local_time() -> None:
    assert only(fit(Session(without(RUN, "lat", "lon")), utc_offset=19_800)).utc_offset_s == 19_800


def cut(share: float) -> bytes:
    content = fit(Session(RUN))
    return content[: int(len(content) * share)]


def with_bad_checksum() -> bytes:
    return fit(Session(RUN))[:-2] + b"\0\0"


def with_unknown_message() -> bytes:
    # a data message that nothing defined, in the middle
    content = fit(Session(RUN))
    middle = content.index(b"\x04", len(content) // 2)
    return content[:middle] + b"\x0f" + content[middle + 1 :]


@pytest.mark.parametrize(
    ("content", "at_least"),
    [(cut(0.5), 290), (with_bad_checksum(), 601), (with_unknown_message(), 250)],
    ids=["cut off", "checksum", "unknown message"],
)
def test_of_a_damaged_fit_file_what_is_whole_is_read(content: bytes, at_least: int) -> None:
    assert len(only(content).time) >= at_least


def test_a_fit_header_that_lies_about_the_size_is_not_believed() -> None:
    content = bytearray(fit(Session(RUN)))
    content[4:8] = (0xFFFFFFFF).to_bytes(4, "little")
    assert len(only(bytes(content)).time) == 601


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 100, "empty"),
        (b"hello", "neither"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"<html><body/></html>", "html"),
        (b"<gpx><trk>", "broken"),
        (gpx(RUN)[:-20], "broken"),
        (b"<gpx/>", "no track points"),
        (b'<gpx><rte><rtept lat="1" lon="2"/></rte></gpx>', "no track points"),
        (b'<gpx><trk><trkseg><trkpt lat="1" lon="2"/></trkseg></trk></gpx>', "no times"),
        (b"<TrainingCenterDatabase/>", "no activity"),
        (b"<TrainingCenterDatabase><Courses><Course/></Courses></TrainingCenterDatabase>", "course"),
        (fit(Session(RUN), kind=6), "course"),
        (fit(Session(RUN), kind=5), "workout"),
        (b"\x0e\x20\x54\x08\x00\x00\x00\x00.FIT\x00\x00\x00\x00", "neither a session"),
        (gzip.compress(gpx(RUN))[:-30], "cut off"),
        (b"\x1f\x8b" + b"x" * 40, "gzip"),
        (gzip.compress(gzip.compress(gpx(RUN))), "twice"),
    ],
)
def test_what_is_no_activity_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(NotAnActivity) as refused:
        read(content)
    assert reason in refused.value.detail
    assert refused.value.errors[0].field == "file"


ENTITIES = b'<!DOCTYPE gpx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><gpx>&b;</gpx>'
LAUGHS = b"<!DOCTYPE gpx [<!ENTITY a0 'ha'>%s]><gpx>&a12;</gpx>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 20) for n in range(1, 13)
)
OUTSIDE = b'<!DOCTYPE gpx [<!ENTITY x SYSTEM "file:///etc/passwd">]><gpx><trk><name>&x;</name></trk></gpx>'
OTHER_DTD = b'<!DOCTYPE gpx SYSTEM "http://127.0.0.1:9/x.dtd"><gpx/>'
DEEP = b"<gpx>" + b"<trk>" * 100_000 + b"</trk>" * 100_000 + b"</gpx>"
MANY = b"<gpx>" + b"<x/>" * 3_000_000 + b"</gpx>"
UTF16 = ENTITIES.decode().encode("utf-16")


@pytest.mark.parametrize(
    "content",
    [ENTITIES, LAUGHS, OUTSIDE, OTHER_DTD, DEEP, MANY, UTF16],
    ids=["entities", "laughs", "outside", "dtd", "deep", "many", "utf-16"],
)
def test_xml_that_means_harm_is_refused(content: bytes) -> None:
    with pytest.raises(NotAnActivity):
        read(content)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = b"\0" * 2**20
    bomb = b"".join(packer.compress(zeros) for _ in range(256)) + packer.flush()
    with pytest.raises(NotAnActivity, match="larger than 64 MiB"):
        read(bomb)
    with pytest.raises(NotAnActivity, match="larger"):
        read(gzip.compress(zeros) * 100)


def test_a_gzip_file_of_several_members_is_one() -> None:
    content = gpx(RUN)
    assert gunzip.gunzipped(gzip.compress(content[:1000]) + gzip.compress(content[1000:])) == content


def test_too_many_samples_are_refused() -> None:
    point = b'<trkpt lat="1" lon="2"/>'
    with pytest.raises(NotAnActivity, match="samples"):
        read(b"<gpx><trk><trkseg>" + point * 260_000 + b"</trkseg></trk></gpx>")
