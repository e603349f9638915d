"""What the quick decoder reads of real files is what Garmin's own reads, which is there where the quick one fails."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording
from services.activities.formats import fit as fit_format
from services.activities.formats.fit import read_fit, recordings_in
from services.activities.formats.fit_fast import decoded_by_fitfast, decoded_in_columns
from services.activities.formats.fit_frames import mended
from services.activities.formats.fit_garmin import Messages, decoded_by_garmin
from tests.support.corpus import corpus_file, corpus_files
from tests.support.recordings import START, Session, a_run, fit, without

# Garmin's decoder does not know compressed timestamps: there it is no witness.
COMPRESSED_TIMESTAMPS = {"antfs-dump.63.fit", "compressed-speed-distance.fit"}
FILES = [path for path in corpus_files() if ".fit" in path.name.lower() and path.name not in COMPRESSED_TIMESTAMPS]


def content_of(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def outcome(messages: Messages | None) -> list[Recording] | str:
    if messages is None:
        return "nothing to be read"
    try:
        return recordings_in(messages)
    except NotAnActivity as refused:
        return refused.detail


def assert_same(one: Recording, other: Recording) -> None:
    assert np.array_equal(one.time, other.time)
    assert set(one.series) == set(other.series)
    for name, column in one.series.items():
        assert np.allclose(column, other.series[name], atol=1e-6, equal_nan=True), name
    for field in ("sport", "started_at_s", "pauses", "lap_starts", "totals", "utc_offset_s"):
        assert getattr(one, field) == getattr(other, field), field


def test_there_are_files_to_compare(pytestconfig: pytest.Config) -> None:
    corpus_file(pytestconfig, "MANIFEST.tsv")
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_two_decoders_read_the_same(path: Path) -> None:
    content = content_of(path)
    if decoded_by_fitfast(content) is None:  # damaged: what is whole of it
        content = mended(content)
    quick, garmins = outcome(decoded_by_fitfast(content)), outcome(decoded_by_garmin(content))
    if isinstance(quick, str) or isinstance(garmins, str):
        assert quick == garmins
        return
    assert len(quick) == len(garmins)
    for one, other in zip(quick, garmins, strict=True):
        assert_same(one, other)


SESSIONS = (
    Session(a_run(300), pauses=[(100, 160)], lap_starts=[0, 150], distance=900.0),
    Session(without(a_run(200, start=START.replace(hour=9)), "lat", "lon"), sport=5),
)


ALL_FILES = [path for path in corpus_files() if ".fit" in path.name.lower()]


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: path.name)
def test_columns_hold_what_messages_say(path: Path) -> None:
    content = content_of(path)
    if decoded_in_columns(content) is None:
        return
    messages = decoded_by_fitfast(content)
    assert messages is not None
    assert_read_the_same(content, messages)


def assert_read_the_same(content: bytes, messages: Messages) -> None:
    expected = outcome(messages)
    if isinstance(expected, str):
        with pytest.raises(NotAnActivity, match=re.escape(expected)):
            read_fit(content)
        return
    for one, other in zip(read_fit(content), expected, strict=True):
        assert_same(one, other)
        assert one.device == other.device


def test_most_files_are_read_in_columns(pytestconfig: pytest.Config) -> None:
    corpus_file(pytestconfig, "MANIFEST.tsv")
    activities = [
        content for content in map(content_of, ALL_FILES) if not isinstance(outcome(decoded_by_fitfast(content)), str)
    ]
    in_columns = [content for content in activities if decoded_in_columns(content) is not None]
    assert len(in_columns) * 4 >= len(activities) * 3


def test_gaps_events_and_several_sessions_are_the_same_in_columns() -> None:
    content = fit(*SESSIONS, utc_offset=3600)
    messages = decoded_by_fitfast(content)
    assert messages is not None
    assert decoded_in_columns(content) is not None
    assert_read_the_same(content, messages)


@pytest.mark.parametrize("cut", [1, 2, 3, 500])
def test_a_file_that_was_cut_off_is_not_read_in_columns(cut: int) -> None:
    assert decoded_in_columns(fit(*SESSIONS)[:-cut]) is None


def fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the quick decoder fail at everything."""
    for name in ("decoded_by_fitfast", "decoded_in_columns"):
        monkeypatch.setattr(fit_format, name, lambda _: None)


def test_where_the_quick_one_fails_garmins_reads_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    content = fit(*SESSIONS, utc_offset=3600)
    expected = read_fit(content)
    fails(monkeypatch)
    for one, other in zip(read_fit(content), expected, strict=True):
        assert_same(one, other)


def test_where_both_fail_the_file_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch)
    with pytest.raises(NotAnActivity, match="damaged beyond reading"):
        read_fit(fit(*SESSIONS, utc_offset=3600)[:14] + b"\xff" * 40)
