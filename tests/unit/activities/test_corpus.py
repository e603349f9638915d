"""Every real file is read, or refused with a reason; none costs over 2 seconds or 300 MB."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from garmin_fit_sdk import Decoder, Stream

from services.activities.reading import read_and_analyse
from tests.support.corpus import ROOT, Outcome, corpus_file, corpus_files

MOST_S, MOST_MB = 2.0, 300


@pytest.fixture(scope="module")
def outcomes(pytestconfig: pytest.Config) -> dict[str, Outcome]:
    corpus_file(pytestconfig, "MANIFEST.tsv")
    files = corpus_files()
    made: dict[str, Outcome] = {}
    # some at a time in one process, so that a peak can be told to a few files, and starting is not what is measured
    for begin in range(0, len(files), 20):
        some = files[begin : begin + 20]
        command = [sys.executable, "-m", "tests.support.corpus", *map(str, some)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
        assert ran.returncode == 0, ran.stderr.decode()[-2000:]
        lines = ran.stdout.splitlines()
        made |= {path.name: msgspec.json.decode(line, type=Outcome) for path, line in zip(some, lines, strict=True)}
    return made


def test_every_file_is_read_or_refused_with_a_reason(outcomes: dict[str, Outcome]) -> None:
    assert len(outcomes) > 100
    assert [name for name, one in outcomes.items() if not one.activities and not one.refused] == []
    read_files = sum(bool(one.activities) for one in outcomes.values())
    assert read_files >= 78


def test_no_file_costs_too_much(outcomes: dict[str, Outcome]) -> None:
    assert {name: one.seconds for name, one in outcomes.items() if one.seconds > MOST_S} == {}
    assert {name: one.peak_mb for name, one in outcomes.items() if one.peak_mb > MOST_MB} == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("15.tcx", "empty"),
        ("Berlin_0_9_km_.fit", "course"),
        ("Berlin_0_9_km_.gpx", "no times"),
        ("DeveloperData.fit", "neither a session nor records"),
        ("MonitoringFile.fit", "monitoring"),
        ("Settings.fit", "settings"),
        ("WeightScaleSingleUser.fit", "weight"),
        ("WorkoutRepeatSteps.fit", "workout"),
        ("gpx-with-node-with-comments.gpx", "fewer than two points"),
        ("route.gpx", "no track points"),
        ("unicode2.gpx", "no track points"),
    ],
)
def test_what_is_no_activity_says_so(outcomes: dict[str, Outcome], name: str, reason: str) -> None:
    assert reason in (outcomes[name].refused or "")


@dataclass(frozen=True)
class Expected:
    file: str
    sports: list[str]
    distance_m: float
    elapsed_s: float


@pytest.mark.parametrize(
    "expected",
    [
        Expected("activity-filecrc.fit", ["running"], 5.73, 13),
        Expected("activity-unexpected-eof.fit", ["running"], 5.73, 13),
        Expected("compressed-speed-distance.fit", ["running"], 10_248.67, 3880),
        Expected("nick.fit", ["other"], 113_551, 16_723),
        Expected("4078723797_strava.gpx", ["cycling"], 57_567, 8356),
        Expected("4801048867_strava.gpx", ["cycling"], 36_323, 5158),
        Expected("12866632127.fit.gz", ["running"], 3322.95, 1428),
        Expected("sample.tcx", ["cycling"], 64_670, 8207),
    ],
    ids=lambda expected: expected.file,
)
def test_some_files_are_known_by_heart(outcomes: dict[str, Outcome], expected: Expected) -> None:
    activities = outcomes[expected.file].activities
    assert [sport for sport, _, _ in activities] == expected.sports
    assert activities[0][1] == pytest.approx(expected.distance_m, rel=2e-3)
    assert activities[0][2] == pytest.approx(expected.elapsed_s, abs=2)


def test_a_triathlon_is_five_activities(outcomes: dict[str, Outcome]) -> None:
    sports = [sport for sport, _, _ in outcomes["sample_mulitple_header.fit"].activities]
    assert sports == ["swimming", "transition", "cycling", "transition", "running"]


SESSIONS_AS_GARMIN_READS_THEM = [
    "python-fitparse/activity-small-fenix2-run.fit",
    "python-fitparse/garmin-edge-500-activity.fit",
    "python-fitparse/garmin-fenix-5-run.fit",
    "python-fitparse/developer-types-sample.fit",
    "python-fitparse/2013-02-06-12-11-14.fit",
    "python-fitparse/sample_mulitple_header.fit",
    "python-fitparse/activity-large-fenxi2-multisport.fit",
    "sweatpy/4078723797.fit",
    "fitdecode/garmin-fr935-cr.fit",
]


@pytest.mark.parametrize("name", SESSIONS_AS_GARMIN_READS_THEM)
def test_sessions_are_what_garmins_own_decoder_says(pytestconfig: pytest.Config, name: str) -> None:
    content = corpus_file(pytestconfig, name).read_bytes()
    messages: dict[str, list[dict[str, Any]]]
    messages, _ = Decoder(Stream.from_byte_array(bytearray(content))).read()
    sessions = sorted(messages["session_mesgs"], key=lambda session: session["start_time"])
    summaries = [analysis.summary for analysis in read_and_analyse(content)]
    assert len(summaries) == len(sessions)
    for session, summary in zip(sessions, summaries, strict=True):
        assert summary.distance_m == pytest.approx(session["total_distance"], abs=0.02)
        if abs((session["timestamp"] - session["start_time"]).total_seconds() - session["total_elapsed_time"]) < 60:
            assert abs((summary.started_at - session["start_time"]).total_seconds()) <= 5
        # a device's elapsed time leaves a pause at its end out, or in; ours is between samples
        assert summary.elapsed_s == pytest.approx(session["total_elapsed_time"], abs=5, rel=0.01)
        assert summary.moving_s <= session["total_timer_time"] + 5
        if session.get("avg_heart_rate") and summary.sport != "swimming":
            assert summary.average_heart_rate_bpm == pytest.approx(session["avg_heart_rate"], abs=1.5)
