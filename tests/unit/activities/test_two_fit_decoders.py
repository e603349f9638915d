"""What the quick decoder reads of real files is what Garmin's own reads, which is there where the quick one fails."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import Recording
from services.activities.formats import fit as fit_format
from services.activities.formats.fit import decoded_by_fitfast, read_fit, recordings_in
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


def test_where_the_quick_one_fails_garmins_reads_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    content = fit(*SESSIONS, utc_offset=3600)
    expected = read_fit(content)
    monkeypatch.setattr(fit_format, "decoded_by_fitfast", lambda _: None)
    for one, other in zip(read_fit(content), expected, strict=True):
        assert_same(one, other)


def test_where_both_fail_the_file_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_format, "decoded_by_fitfast", lambda _: None)
    with pytest.raises(NotAnActivity, match="damaged beyond reading"):
        read_fit(fit(*SESSIONS, utc_offset=3600)[:14] + b"\xff" * 40)
