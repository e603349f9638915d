"""What we write as GPX is valid by its schemas, and is read back as what it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from services.activities.domain.activity import Summary
from services.activities.domain.sports import SPORTS
from services.activities.domain.streams import Streams
from services.activities.formats.gpx_writing import gpx_of, no_breaks
from services.activities.reading import read_and_analyse
from tests.support.recordings import Session, a_run, fit

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).parents[2] / "support" / "schemas" / "gpx11.xsd")))
AT = datetime(2026, 3, 1, 7, 0, 0, 250_000, tzinfo=UTC)
GPX = "{http://www.topografix.com/GPX/1/1}"


def written(streams: Streams, breaks: Any = None, **said: Any) -> bytes:
    summary = Summary(
        **{"sport": "running", "title": "Run", **said},
        started_at=AT,
        timezone="UTC",
        local_date=AT.date(),
        distance_m=0,
        elapsed_s=0,
        moving_s=0,
    )
    document = b"".join(gpx_of(streams, no_breaks(streams) if breaks is None else np.array(breaks), summary))
    SCHEMA.assertValid(etree.fromstring(document))
    return document


def track(points: int = 4, **series: list[float]) -> Streams:
    columns = {"lat": [48.0 + n / 1000 for n in range(points)], "lon": [2.0] * points} | series
    return Streams(np.arange(points, dtype=float), {name: np.array(column, float) for name, column in columns.items()})


def test_a_run_is_read_back_as_what_it_was() -> None:
    (before,) = read_and_analyse(fit(Session(a_run(1200, climb=0.02))))
    assert before.streams is not None
    summary = msgspec.structs.replace(before.summary, title="Über & <Berg>", description="One\ntwo")
    document = b"".join(gpx_of(before.streams, no_breaks(before.streams), summary))
    SCHEMA.assertValid(etree.fromstring(document))
    (after,) = read_and_analyse(document)
    assert after.streams is not None
    assert (after.summary.title, after.summary.sport, after.summary.started_at) == (
        "Über & <Berg>",
        "running",
        summary.started_at,
    )
    assert after.summary.distance_m == pytest.approx(before.summary.distance_m, rel=2e-3)
    assert after.summary.average_heart_rate_bpm == before.summary.average_heart_rate_bpm
    assert after.summary.average_cadence_spm == pytest.approx(before.summary.average_cadence_spm, abs=1)
    for name in ("lat", "lon", "altitude", "heart_rate", "speed"):
        np.testing.assert_allclose(after.streams.series[name], before.streams.series[name], atol=1e-2)


@pytest.mark.parametrize("title", ["a\x00b\x1b[31m", "]]>", "&amp;", "<script>", "\ud7ff\ue000\uffff", "x" * 500])
def test_a_title_can_be_anything(title: str) -> None:
    name = etree.fromstring(written(track(), title=title, description=title)).find(f".//{GPX}name")
    assert name is not None
    assert name.text
    assert "\x00" not in name.text


def test_segments_begin_where_the_track_is_broken_and_unknown_places_are_left_out() -> None:
    nan = float("nan")
    streams = track(6, lat=[1.0, nan, 3.0, nan, 5.0, 6.0])
    root = etree.fromstring(written(streams, [False, False, False, True, False, True]))
    segments = [len(segment) for segment in root.iter(f"{GPX}trkseg")]
    assert segments == [2, 1, 1]


def test_what_is_out_of_the_schemas_bounds_is_left_out() -> None:
    streams = track(2, lon=[179.99999999, -180.0], heart_rate=[0.0, 250.0], cadence=[600.0, 180.0], power=[0.0, 3000.0])
    root = etree.fromstring(written(streams))
    assert [point.get("lon") for point in root.iter(f"{GPX}trkpt")] == ["-180.0000000", "-180.0000000"]
    tpx = "{http://www.garmin.com/xmlschemas/TrackPointExtension/v2}"
    assert [one.text for one in root.iter(f"{tpx}hr")] == ["250"]
    assert [one.text for one in root.iter(f"{tpx}cad")] == ["90"]


def test_pauses_and_parts_of_seconds_are_kept() -> None:
    streams = Streams(np.array([0.0, 1.5, 3600.25]), track(3).series)
    root = etree.fromstring(written(streams))
    times = [str(one.text) for one in root.iter(f"{GPX}time")][1:]
    assert [datetime.fromisoformat(at) - AT for at in times] == [timedelta(seconds=s) for s in (0, 1.5, 3600.25)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_was_measured_it_is_valid(data: st.DataObject) -> None:
    points = data.draw(st.integers(1, 5))

    def column(low: float, high: float) -> list[float]:
        value = st.one_of(st.floats(low, high), st.just(float("nan")))
        return data.draw(st.lists(value, min_size=points, max_size=points))

    series = {"lat": column(-90, 90), "lon": column(-180, 180), "altitude": column(-500, 12_000)}
    bounds = {"heart_rate": (25, 250), "cadence": (0, 520), "power": (0, 3000), "speed": (0, 150)}
    series |= {name: column(low, high) for name, (low, high) in bounds.items() if data.draw(st.booleans())}
    written(track(points, **series), sport=data.draw(st.sampled_from(SPORTS)), title=data.draw(st.text(min_size=1)))
