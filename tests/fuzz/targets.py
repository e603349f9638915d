"""What is fuzzed. A target takes any bytes: it returns, whatever they are, or raises what must never happen.

The property is the same for all: a reader gives a result that can be kept, or refuses with its own error and a sentence.
"""

from __future__ import annotations

import asyncio
import io
import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import bson
import msgspec

from services.activities.archives import garmin, strava, takeout
from services.activities.archives.plans import Plan, plan_of
from services.activities.archives.zips import MIB, Limits
from services.activities.domain.activity import Activity, Source
from services.activities.domain.analysis import analyse
from services.activities.domain.corrections import by_hand
from services.activities.domain.labels import Labels, labelled
from services.activities.domain.problems import NotAnActivity, NotAnArchive
from services.activities.formats.fit import recordings_in
from services.activities.formats.fit_frames import is_fit, mended
from services.activities.formats.fit_garmin import decoded_by_garmin
from services.activities.formats.gunzip import gunzipped
from services.activities.parsers.packed import parsed_file
from services.activities.parsers.parsed import ParsedFile
from services.activities.reading import zone_at
from services.activities.shapes import rows_of_shape
from services.activities.store.documents import Held, document_of, streams_of
from services.activities.usecases.import_file import new_activities, plain_name
from services.chassis.decoding import decode_upload
from services.chassis.intake import StreamedBody
from services.chassis.problems import Invalid, Problem

Target: TypeAlias = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A target, the folder of its corpus, and the words that a fuzzer would take long to guess."""

    read: Target
    folder: str
    words: str | None = None

    @property
    def kept(self) -> list[Path]:
        """The corpus."""
        return sorted((CORPUS / self.folder).iterdir())


HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
WORDS = HERE / "words"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
ARCHIVE = Limits(members=100, expanded_bytes=8 * MIB)
UNPACKED = MIB
FORM = "multipart/form-data; boundary=b"
SOME = Activity(
    id="1",
    owner="runner",
    version=1,
    sport="running",
    title="Run",
    started_at=NOW,
    timezone="UTC",
    local_date=NOW.date(),
    distance_m=5000.0,
    elapsed_s=1800.0,
    moving_s=1800.0,
    source=Source("file"),
    created_at=NOW,
    updated_at=NOW,
)


def a_file(content: bytes) -> None:
    """An upload, or what Strava told, as a worker reads it."""
    try:
        parsed = parsed_file(content, "0" * 64, {}, level=1)
    except NotAnActivity as refusal:
        assert refusal.detail
    else:
        can_be_kept(parsed)


def fit_by_garmin(content: bytes) -> None:
    """A FIT file by the decoder that is only asked where ours fails, and what is made of its messages."""
    if not is_fit(content):
        return
    messages = decoded_by_garmin(mended(content))
    if messages is not None:
        with suppress(NotAnActivity):
            for recording in recordings_in(messages):
                analyse(recording, zone_at=zone_at, rows_of_shape=rows_of_shape)


def gzip(content: bytes) -> None:
    """What is unpacked is never more than was allowed, and never packed itself."""
    with suppress(NotAnActivity):
        unpacked = gunzipped(content, UNPACKED)
        assert len(unpacked) <= UNPACKED
        assert not unpacked.startswith(b"\x1f\x8b")


def archive(content: bytes) -> None:
    """A ZIP archive: its plan, and each file of it."""
    try:
        plan = plan_of(io.BytesIO(content), ARCHIVE)
    except NotAnArchive as refusal:
        assert refusal.detail
        return
    try:
        _read_all(plan)
    finally:
        plan.close()


def _read_all(plan: Plan) -> None:
    assert 1 <= len(plan.items) <= ARCHIVE.members
    for item in plan.items:
        assert item.name.isprintable() or all(unicodedata.category(c)[0] != "C" for c in item.name)
        if item.reason is None:
            with suppress(NotAnActivity):
                unpacked, taken = plan.read(item)
                assert len(unpacked) <= 64 * MIB
                is_plain(labelled_with(plan.labels(item, taken, 0, 1, NOW)))


def table(content: bytes) -> None:
    """Strava's `activities.csv`."""
    said = strava.read_table(content)
    for labels in said.labels.values():
        is_plain(labelled_with(labels))


def json(content: bytes) -> None:
    """The documents in Garmin's export, and in a takeout of ours."""
    for labels in garmin.labels_in(content).values():
        is_plain(labelled_with(labels))
    takeout.is_manifest(content)
    takeout.original_of(content)
    takeout.removed_in(content)
    gear = takeout.gear_in(content)
    takeout.zone_in(content)
    taken = takeout.activity_in(content)
    if taken is not None:
        is_plain(labelled_with(takeout.labels_of(taken, dict([gear] if gear else []))))
        with suppress(Invalid):
            is_plain(by_hand(takeout.by_hand_in(taken), owner="runner", activity_id="1", now=NOW))


def form(content: bytes) -> None:
    """A form that uploads a file, whole and as it comes, piece by piece."""
    with suppress(Problem):
        upload = decode_upload(content, FORM, "")
        name = plain_name(upload.filename)
        assert name is None or name.isprintable() or all(unicodedata.category(c)[0] != "C" for c in name)
    with suppress(Problem):
        asyncio.run(_as_it_comes(content))


async def _as_it_comes(content: bytes) -> None:
    body = StreamedBody(MIB, FORM, "", _Nowhere)
    for at in range(0, len(content), 100):
        await body.receive(content[at : at + 100])
    if body.refused is None:
        body.whole()
    await body.close()


class _Nowhere:
    """A sink."""

    async def write(self, chunk: bytes) -> None:
        """Take a piece."""

    async def abandon(self) -> None:
        """Keep nothing."""


TARGETS: Mapping[str, Fuzzed] = {
    "fit": Fuzzed(a_file, "fit"),
    "fit_by_garmin": Fuzzed(fit_by_garmin, "fit"),
    "gpx": Fuzzed(a_file, "gpx", words="xml"),
    "tcx": Fuzzed(a_file, "tcx", words="xml"),
    "strava": Fuzzed(a_file, "strava", words="json"),
    "gzip": Fuzzed(gzip, "gzip"),
    "archive": Fuzzed(archive, "archive"),
    "table": Fuzzed(table, "table"),
    "json": Fuzzed(json, "json", words="json"),
    "form": Fuzzed(form, "form", words="form"),
}


def can_be_kept(parsed: ParsedFile) -> None:
    """What was read makes documents that the database takes, of numbers that are numbers."""
    for new in new_activities("runner", "run.fit", parsed, lambda: "1", NOW):
        is_plain(new.activity)
        assert new.parsed is not None
        for document in (document_of(Held(new.activity)), streams_of(new.activity, new.parsed)):
            assert all(math.isfinite(number) for number in numbers_in(document)), document
            bson.encode(document)


def is_plain(activity: Activity) -> None:
    """What is shown of an activity has no control characters, is not too long, and turns no line around."""
    shown = (activity.title, activity.description or "", activity.device or "", activity.source.name or "")
    for text in shown:
        assert not any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in text), text
        assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), text
    assert 1 <= len(activity.title) <= 200
    assert len(activity.description or "") <= 5000
    bson.encode(document_of(Held(activity)))
    msgspec.json.encode(activity)


def labelled_with(labels: Labels) -> Activity:
    """An activity of which this was said."""
    return labelled(SOME, labels, None)


def numbers_in(value: Any) -> Iterator[float]:
    """Every number in a document."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from numbers_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from numbers_in(part)
