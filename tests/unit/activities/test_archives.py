"""What is found in an archive, in which order, with what was said about it; and what is refused before it costs anything."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.activities.archives.chunked import ChunkedFile, buffered
from services.activities.archives.plans import Plan, plan_of
from services.activities.archives.zips import Limits
from services.activities.domain.labels import Labels
from services.activities.domain.plain_text import plain
from services.activities.domain.problems import NotAnActivity, NotAnArchive
from tests.support import archives
from tests.support.archives import zipped

FEW = Limits(members=100, expanded_bytes=10 * 1024 * 1024)
AT = datetime(2026, 3, 1, 7, tzinfo=UTC)


def plan(archive: bytes, limits: Limits = FEW) -> Plan:
    return plan_of(io.BytesIO(archive), limits)


def names(made: Plan) -> list[str]:
    return [item.name for item in made.items]


def reasons(made: Plan) -> dict[str, str]:
    return {item.name: item.reason for item in made.items if item.reason}


def refused(archive: bytes, limits: Limits = FEW) -> str:
    with pytest.raises(NotAnArchive) as problem:
        plan(archive, limits)
    return problem.value.detail


def said(made: Plan, name: str, at: datetime = AT) -> Labels:
    (item,) = (item for item in made.items if item.name == name)
    return made.labels(item, (), 0, 1, at)


def test_files_are_found_in_any_folder_but_not_what_systems_leave_behind() -> None:
    made = plan(
        zipped(
            {
                "run.fit": b"1",
                "2024/spring/run.gpx.gz": b"2",
                "notes.txt": b"3",
                "2024/": b"",
                "__MACOSX/._run.fit": b"x",
                ".DS_Store": b"x",
                "2024/Thumbs.db": b"x",
            }
        )
    )
    assert (made.kind, names(made)) == ("files", ["run.fit", "2024/spring/run.gpx.gz", "notes.txt"])
    assert [made.read(item)[0] for item in made.items] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("header", [archives.STRAVA_HEADER, archives.STRAVA_HEADER_GERMAN], ids=["en", "de"])
def test_stravas_table_says_titles_descriptions_and_gear_in_any_language(header: tuple[str, ...]) -> None:
    made = plan(
        archives.strava(
            [
                ("1.fit.gz", 'Tempo, with "quotes"\nand lines', "Run", "First\nsecond", "Blue ones", b"1"),
                ("2.gpx", "Ausfahrt", "Radfahrt", "", "", b"2"),
                ("", "By hand", "Run", "", "", b""),
            ],
            header,
        )
    )
    assert (made.kind, sorted(names(made))) == ("strava", ["By hand", "activities/1.fit.gz", "activities/2.gpx"])
    assert "by hand" in reasons(made)["By hand"], "it is told of, as it can't be brought"
    first = said(made, "activities/1.fit.gz")
    assert (first.title, first.description, first.sport) == (
        'Tempo, with "quotes"\nand lines',
        "First\nsecond",
        "running",
    )
    assert first.gear is not None
    assert (first.gear.name, first.gear.kind) == ("Blue ones", "shoes")
    second = said(made, "activities/2.gpx")
    assert (second.title, second.description, second.sport, second.gear) == ("Ausfahrt", None, None, None)


def test_a_file_that_stravas_table_names_and_the_archive_lacks_is_told_of() -> None:
    whole = archives.strava([("1.fit", "Here", "Run", "", "", b"1"), ("2.fit", "Gone", "Run", "", "", b"2")])
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        made = plan(zipped({name: archive.read(name) for name in archive.namelist() if name != "activities/2.fit"}))
    assert sorted(names(made)) == ["activities/1.fit", "activities/2.fit"]
    assert "not in the archive" in reasons(made)["activities/2.fit"]


def test_an_archive_of_nothing_is_no_broken_one() -> None:
    empty = zipped({})
    with pytest.raises(NotAnArchive, match="no files"):
        plan_of(buffered(ChunkedFile(len(empty), 4096, lambda _: empty)), FEW)


def test_stravas_older_table_had_a_column_less() -> None:
    header = (
        "Activity ID,Activity Date,Activity Name,Activity Type,Activity Description,Elapsed Time,Distance,Relative Effort,"
        "Commute,Activity Gear,Filename"
    )
    row = "1,x,Hills,Hike,,1,1,,false,Boots,activities/9.tcx.gz"
    made = plan(
        zipped({"export_1/activities.csv": f"{header}\n{row}\n".encode(), "export_1/activities/9.tcx.gz": b"1"})
    )
    labels = said(made, "export_1/activities/9.tcx.gz")
    assert (labels.title, labels.sport, labels.gear and labels.gear.name) == ("Hills", "hiking", "Boots")


@pytest.mark.parametrize("table", [b"", b"\xff\xfe\x00", b'"' + b"x" * 200_000, b"a,b\n1,2\n"])
def test_a_table_that_says_nothing_costs_no_file(table: bytes) -> None:
    made = plan(zipped({"activities.csv": table, "activities/1.fit": b"1"}))
    assert (names(made), said(made, "activities/1.fit")) == (["activities/1.fit"], Labels())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_garmins_archives_in_the_archive_are_read_with_titles_by_the_start(method: int) -> None:
    start = int(AT.timestamp() * 1000)
    groups = [{"a@b.example_1.fit": b"1" * 100_000, "a@b.example_2.fit": b"2"}, {"a@b.example_3.fit": b"3"}]
    made = plan(archives.garmin(groups, {start + 1000: "Berlin Laufen"}, method))
    assert (made.kind, len(made.items)) == ("garmin", 3)
    assert [made.read(item)[0][:1] for item in made.items] == [b"1", b"2", b"3"]
    assert said(made, "a@b.example_1.fit").title == "Berlin Laufen"
    assert said(made, "a@b.example_1.fit", datetime(2026, 3, 1, 8, tzinfo=UTC)) == Labels()


def test_a_broken_archive_in_garmins_is_told() -> None:
    whole = archives.garmin([{"1.fit": b"1" * 2000}], {}, zipfile.ZIP_STORED)
    inner = whole.find(b"PK\x05\x06")
    (told,) = reasons(plan(whole[:inner] + b"XX" + whole[inner + 2 :])).items()
    assert "UploadedFiles" in told[0]
    assert "ZIP" in told[1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../etc/passwd", "leads out"),
        ("/etc/passwd", "leads out"),
        ("..\\run.fit", "leads out"),
        ("C:run.fit", "leads out"),
        ("folder/../run.fit", "leads out"),
        ("run\x1b[2J.fit", "control characters"),
        ("run\nevil.fit", "control characters"),
    ],
)
def test_a_name_that_plays_tricks_is_refused_and_shown_harmlessly(name: str, reason: str) -> None:
    made = plan(zipped([(archives.named(name), b"1"), ("good.fit", b"2")]))
    (told,) = reasons(made).items()
    assert reason in told[1]
    assert told[0].isprintable()


def test_what_is_no_plain_file_is_refused_with_the_reason() -> None:
    made = plan(
        zipped(
            [
                archives.link("link.fit", "/etc/passwd"),
                ("inner.zip", b"1"),
                ("inner.tar.gz", b"1"),
                ("good.fit", b"2"),
            ]
        )
    )
    assert "link" in reasons(made)["link.fit"]
    assert "archive itself" in reasons(made)["inner.zip"]
    assert "archive itself" in reasons(made)["inner.tar.gz"]
    assert "encrypted" in reasons(plan(archives.encrypted(zipped({"run.fit": b"1"}))))["run.fit"]
    unusual = zipped({"run.fit": b"1" * 1000}, zipfile.ZIP_LZMA)
    assert "Deflate" in reasons(plan(unusual))["run.fit"]


def test_an_archive_under_another_name_is_refused_when_it_is_read() -> None:
    made = plan(zipped({"run.fit": zipped({"bomb.fit": b"1"})}))
    with pytest.raises(NotAnActivity, match="archive itself"):
        made.read(made.items[0])


def test_bombs_are_refused_by_what_they_say_of_themselves() -> None:
    bomb = zipped({"bomb.gpx": bytes(8 * 1024 * 1024)})
    assert len(bomb) < 10_000
    assert "expand" in reasons(plan(bomb))["bomb.gpx"]
    large = zipped({"large.gpx": bytes(65 * 1024 * 1024)})
    assert "larger than 64 MiB" in reasons(plan(large))["large.gpx"]
    content = random.Random(1).randbytes(2 * 1024 * 1024)
    assert "Unpacked" in refused(zipped({f"{number}.fit": content for number in range(6)}))


def test_a_member_that_lies_about_its_size_is_not_unpacked_beyond_it() -> None:
    true = zipped({"run.gpx": bytes(8 * 1024 * 1024)})
    lies = archives.patched(true, b"PK\x01\x02", 24, struct.pack("<I", 1000))
    made = plan(lies)
    tracemalloc.start()
    with pytest.raises(NotAnActivity, match="damaged"):
        made.read(made.items[0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024 * 1024


def test_too_many_members_are_refused_before_they_are_looked_at() -> None:
    many = zipped([(f"{number}.fit", b"") for number in range(101)], zipfile.ZIP_STORED)
    assert "up to 100 files" in refused(many)
    assert "up to 100 files" in refused(archives.claiming(many, 1)), "it is what is there that counts"
    assert "up to 100 files" in refused(archives.claiming(zipped({"a.fit": b""}), 60_000))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no ZIP"),
        (b"hello", "no ZIP"),
        (b"PK\x05\x06", "no ZIP"),
        (zipped({"a.fit": random.Random(1).randbytes(5000)})[:-200], "cut off"),
        (zipped({}), "no files"),
        (zipped({"folder/": b""}), "no files"),
        (archives.patched(zipped({"a.fit": b"1"}), b"PK\x01\x02", 0, b"XXXX"), "broken"),
    ],
)
def test_what_is_no_archive_says_so(content: bytes, reason: str) -> None:
    assert reason in refused(content)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_archive_raises_nothing_but_its_refusals(data: st.DataObject) -> None:
    whole = bytearray(archives.garmin([{"1.fit": b"1" * 50}], {0: "x"}, zipfile.ZIP_STORED))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        made = plan(bytes(whole[: data.draw(st.integers(0, len(whole)))]) if data.draw(st.booleans()) else bytes(whole))
        for item in made.items:
            if item.reason is None:
                made.read(item)
    except (NotAnArchive, NotAnActivity):
        pass


def test_a_file_in_chunks_reads_like_any_other_and_fetches_in_turn() -> None:
    content = zipped({f"{number}.fit": random.Random(number).randbytes(5000) for number in range(50)})
    fetched: list[int] = []

    def fetch(number: int) -> bytes:
        fetched.append(number)
        return content[number * 4096 : (number + 1) * 4096]

    made = plan_of(buffered(ChunkedFile(len(content), 4096, fetch)), FEW)
    read = [made.read(item)[0] for item in made.items]
    assert read == [random.Random(number).randbytes(5000) for number in range(50)]
    assert len(fetched) < 3 * (len(content) // 4096 + 1)


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("  Morning \n run\x00 ", False, "Morning run"),
        ("one\r\ntwo\x1b[31m ", True, "one\ntwo[31m"),
        ("x" * 300, False, "x" * 20),
        ("\u202egpj.exe", False, "gpj.exe"),
        ("\U0001f3c3\u200d\u2640\ufe0f tempo", False, "\U0001f3c3\u200d\u2640\ufe0f tempo"),
    ],
)
def test_a_text_from_elsewhere_is_plain(text: str, lines: bool, expected: str) -> None:
    assert plain(text, 20, lines=lines) == expected
