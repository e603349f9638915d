"""What lies beside the files of an archive is read in the process that serves: a small archive makes nothing large there."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from services.activities.archives import garmin, strava
from services.activities.archives.plans import plan_of
from services.activities.archives.zips import MIB, Limits
from services.activities.domain.problems import NotAnActivity, NotAnArchive
from tests.support.archives import patched, zipped

PART = "DI_CONNECT/DI-Connect-Uploaded-Files/UploadedFiles_0-_Part{}.zip"
SIZE = 8 * MIB


def costing(work: Callable[[], object]) -> float:
    """The most MiB that something takes while it is done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "table",
    [
        b"h\n" + b"," * SIZE,
        b"h\n" + b'"a\n",' * (SIZE // 5),
        b'h\n"' + b"a" * SIZE,
        b"h\n" + b"activities/1.gpx," * (SIZE // 17),
    ],
    ids=["columns", "columns over lines", "a cell", "files in a row"],
)
def test_a_table_of_a_row_that_none_can_be_says_nothing(table: bytes) -> None:
    assert costing(lambda: strava.read_table(table)) < 8
    assert strava.read_table(table) == strava.Table()


def test_a_table_of_more_rows_than_an_archive_has_files_is_read_as_far_as_it_matters() -> None:
    named = b"1,2,Run,Run,,activities/1.gpx\n" + b"1,2,Gym,Workout,,\n" * (strava.MOST_ROWS + 10)
    said = strava.read_table(b"Id,Date,Activity Name,Activity Type,Activity Description,Filename\n" + named)
    assert (len(said.labels), len(said.without_file)) == (1, strava.MOST_ROWS - 1)


def test_summaries_of_more_things_than_anybody_did_say_nothing() -> None:
    document = b'[{"summarizedActivitiesExport":[' + b"{}," * (SIZE // 3) + b"{}]}]"
    assert costing(lambda: garmin.labels_in(document)) < 1
    assert garmin.labels_in(document) == {}


def test_an_archive_in_an_archive_that_swells_is_refused_unread() -> None:
    inside = zipped({"1.fit": b"x", "zeros": bytes(30 * MIB)}, zipfile.ZIP_STORED)
    plan = plan_of(io.BytesIO(zipped({PART.format(1): inside})), Limits())
    assert [item.reason for item in plan.items] == ["It would expand to over 20 times its size"]


def test_archives_in_an_archive_are_opened_as_long_as_they_hold_no_more_than_one_may() -> None:
    inside = zipped({f"{number}.fit": b"" for number in range(2000)}, zipfile.ZIP_STORED)
    parts = zipped({PART.format(number): inside for number in range(40)}, zipfile.ZIP_STORED)

    def look() -> None:
        with pytest.raises(NotAnArchive, match="up to 3,000"):
            plan_of(io.BytesIO(parts), Limits(members=3000))

    assert costing(look) < 20


def test_a_takeout_that_says_it_swells_is_refused_before_it_is_unpacked() -> None:
    manifest = b'{"format": "runnerly-takeout", "version": 1}'
    told = {f"activities/{number}.json": bytes(MIB) for number in range(40)}
    swelling = zipped({"manifest.json": manifest, **told})
    begin = time.process_time()
    with pytest.raises(NotAnArchive, match="larger than"):
        plan_of(io.BytesIO(swelling), Limits(expanded_bytes=30 * MIB))
    assert time.process_time() - begin < 0.05, "nothing was unpacked"


def test_a_member_that_says_less_than_it_holds_gives_no_more_than_it_says() -> None:
    archive = patched(zipped({"a.gpx": bytes(8 * MIB)}), b"PK\x01\x02", 24, (1000).to_bytes(4, "little"))
    plan = plan_of(io.BytesIO(archive), Limits())
    assert plan.items[0].info.file_size == 1000

    def look() -> None:
        with pytest.raises(NotAnActivity, match="damaged"):
            plan.read(plan.items[0])

    assert costing(look) < 1
