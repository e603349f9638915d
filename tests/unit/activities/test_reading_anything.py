"""Whatever bytes come, reading answers with recordings or with `NotAnActivity`, and an analysis likewise."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.activities.domain.analysis import analyse
from services.activities.domain.problems import NotAnActivity
from services.activities.domain.recording import SERIES, Recording
from services.activities.domain.sports import SPORTS
from services.activities.domain.strava import written
from services.activities.formats.fit_frames import checksum, mended
from services.activities.parsers.packed import parsed_file
from services.activities.reading import read_and_analyse, zone_at
from services.activities.shapes import rows_of_shape
from services.activities.store.documents import document_of
from services.activities.usecases.import_file import new_activities
from tests.support.recordings import START, Session, a_run, crc16, fit, gpx, tcx
from tests.support.strava import told_run

# the machines that run this are shared: a slow moment is no failure
thorough = settings(max_examples=100, deadline=None)

RUN = a_run(40)
WHOLE = {
    "gpx": gpx(RUN),
    "tcx": tcx([RUN[:20], RUN[20:]]),
    "strava": written(told_run(RUN)),
    "fit": fit(Session(RUN, pauses=[(3, 9)]), Session(a_run(20, start=START + timedelta(minutes=5)), sport=2)),
}


def survives(content: bytes) -> None:
    with suppress(NotAnActivity):
        read_and_analyse(content)


@thorough
@given(st.binary(max_size=300))
def test_arbitrary_bytes(content: bytes) -> None:
    survives(content)


@thorough
@given(st.binary(max_size=300))
def test_arbitrary_bytes_after_a_fit_header(content: bytes) -> None:
    survives(struct.pack("<BBHI4s", 12, 0x10, 100, len(content), b".FIT") + content)


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    content = bytearray(whole[: draw(st.integers(20, len(whole)))] if draw(st.booleans()) else whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(content) - 1))
        length = draw(st.integers(0, 8))
        content[at : at + length] = draw(st.binary(max_size=8))
        if not content:
            break
    return bytes(content)


@thorough
@given(mutated(WHOLE["fit"]))
def test_mutated_fit(content: bytes) -> None:
    survives(content)


@thorough
@given(mutated(WHOLE["fit"]).filter(lambda content: len(content) > 20))
def test_mutated_fit_with_a_right_checksum(content: bytes) -> None:
    """Past the checksum, which would stop most of the others, the decoder itself is met."""
    data = content[14:-2]
    header = struct.pack("<BBHI4sH", 14, 0x20, 2132, len(data), b".FIT", 0)
    survives(header + data + struct.pack("<H", crc16(header + data)))
    survives(mended(header + data + b"\0\0"))


@thorough
@given(mutated(WHOLE["gpx"]))
def test_mutated_gpx(content: bytes) -> None:
    survives(content)


@thorough
@given(mutated(WHOLE["tcx"]))
def test_mutated_tcx(content: bytes) -> None:
    survives(content)


@thorough
@given(mutated(WHOLE["strava"]))
def test_mutated_words_of_strava(content: bytes) -> None:
    survives(content)


amounts = st.one_of(st.floats(0, 1e308), st.floats(0, 400))
totals = st.fixed_dictionaries(dict.fromkeys(("distance_m", "elapsed_s", "moving_s", "ascent_m"), amounts))
rates = st.fixed_dictionaries({f"{which}_heart_rate_bpm": amounts for which in ("average", "max")})


@thorough
@given(totals, rates, st.booleans())
def test_any_totals_of_strava_can_be_kept_or_are_refused(
    told: dict[str, float], beats: dict[str, float], sampled: bool
) -> None:
    content = written(told_run(RUN, **told, **beats, **({} if sampled else {"streams": None})))
    with suppress(NotAnActivity):
        parsed = parsed_file(content, "0" * 64, {}, level=1)
        (new,) = new_activities("ann", "", parsed, lambda: "1", START)
        document_of(new.held(None))


@thorough
@given(st.binary(max_size=200))
def test_the_checksum_is_fits(data: bytes) -> None:
    assert checksum(data) == crc16(data)


values = st.one_of(st.floats(-20, 400), st.floats(allow_nan=True, allow_infinity=True), st.just(0.0))
moments = st.one_of(st.floats(1.7e9, 1.7e9 + 5000), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 5e9))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    count = draw(st.integers(0, 30))
    column = st.lists(values, min_size=count, max_size=count).map(np.array)
    names = draw(st.sets(st.sampled_from(SERIES)))
    times = draw(st.lists(moments, min_size=count, max_size=count))
    spans = st.tuples(st.floats(1.7e9, 1.7e9 + 5000), st.floats(1.7e9, 1.7e9 + 5000))
    return Recording(
        format="fit",
        time=np.array(times, dtype=np.float64),
        series={name: draw(column).astype(np.float64) for name in names},
        sport=draw(st.sampled_from((None, *SPORTS))),
        breaks=np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=np.bool_),
        pauses=tuple(sorted(draw(st.lists(spans, max_size=4)))),
        lap_starts=tuple(draw(st.lists(st.floats(1.7e9, 1.7e9 + 5000), max_size=5))),
    )


@thorough
@given(recordings())
def test_any_recording_is_analysed_or_refused_and_the_numbers_are_possible(recording: Recording) -> None:
    try:
        analysis = analyse(recording, zone_at=zone_at, rows_of_shape=rows_of_shape)
    except NotAnActivity:
        return
    summary = analysis.summary
    assert 0 <= summary.moving_s <= summary.elapsed_s + 0.001
    assert summary.distance_m >= 0
    for segments in (analysis.laps, *(analysis.splits or {}).values()):
        if segments:
            assert abs(sum(part.elapsed_s for part in segments) - summary.elapsed_s) < 0.01 * len(segments)
            assert abs(sum(part.moving_s for part in segments) - summary.moving_s) < 0.01 * len(segments)
            if all(part.distance_m is not None for part in segments):
                assert abs(sum(part.distance_m or 0 for part in segments) - summary.distance_m) < 0.02 * len(segments)
    for effort in analysis.best_efforts:
        assert 0 <= effort.start_s <= effort.start_s + effort.elapsed_s <= summary.elapsed_s + 0.1
