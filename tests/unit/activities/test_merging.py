"""Of a run that came twice: whose data, and whose words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.activities.domain.activity import Activity, SaidBy, Source
from services.activities.domain.merging import Words, merged
from services.activities.formats.sport_names import sport_named

START = datetime(2026, 3, 1, 7, tzinfo=UTC)
FILE, OTHER_FILE = Source("file", "a.fit", "fit", "a" * 64), Source("file", "b.gpx", "gpx", "b" * 64)
STRAVA, STRAVA_ANEW = Source("strava", sha256="c" * 64), Source("strava", sha256="d" * 64)
MANUAL = Source("manual")


def an_activity(source: Source, **changes: Any) -> Activity:
    fields: dict[str, Any] = {
        "id": "1",
        "owner": "ann",
        "version": 1,
        "sport": "running",
        "title": "Morning run",
        "started_at": START,
        "timezone": "UTC",
        "local_date": START.date(),
        "distance_m": 5000.0,
        "elapsed_s": 1500.0,
        "moving_s": 1500.0,
        "source": source,
        "strava_id": "1" if source.kind == "strava" else None,
        "created_at": START,
        "updated_at": START,
    }
    return Activity(**(fields | changes))


def told(**changes: Any) -> Activity:
    """As Strava tells it, with what is said about it."""
    said = {name: "strava" for name in ("title", "description", "gear_id") if changes.get(name)}
    said_by = msgspec.convert(said, SaidBy)
    return an_activity(STRAVA, **changes, said_by=said_by, updated_at=START + timedelta(hours=1))


@pytest.mark.parametrize(
    ("existing", "new", "sampled", "takes"),
    [
        (STRAVA, FILE, (True, True), True),
        (STRAVA, FILE, (False, True), True),
        (STRAVA, FILE, (False, False), True),
        (STRAVA, FILE, (True, False), False),
        (FILE, STRAVA, (True, True), False),
        (FILE, STRAVA, (False, True), True),
        (FILE, STRAVA, (False, False), False),
        (MANUAL, STRAVA, (False, True), True),
        (MANUAL, STRAVA, (False, False), False),
        (STRAVA, STRAVA, (True, True), False),
        (STRAVA, STRAVA_ANEW, (True, True), True),
        (STRAVA, STRAVA_ANEW, (True, False), True),
        (FILE, OTHER_FILE, (False, True), False),
        (MANUAL, FILE, (False, True), False),
    ],
)
def test_the_richer_data_is_taken(existing: Source, new: Source, sampled: tuple[bool, bool], takes: bool) -> None:
    after = merged(an_activity(existing), an_activity(new, session=1), "refresh", sampled=sampled)
    assert after.takes_data is takes
    assert after.activity.source == (new if takes else existing)
    assert after.activity.strava_id == ("1" if "strava" in {existing.kind, new.kind} else None)
    assert after.activity.session == (1 if takes else 0)


def test_an_archive_of_before_does_not_take_the_place_of_what_strava_told_since() -> None:
    for words in ("keep", "fill"):
        before = an_activity(STRAVA_ANEW)
        assert merged(before, an_activity(STRAVA), words, sampled=(True, True)).activity == before


@pytest.mark.parametrize(
    ("before", "words", "title"),
    [
        ({}, "keep", "Morning run"),
        ({}, "fill", "Tempo"),
        ({}, "refresh", "Tempo"),
        ({"title": "Morning hike"}, "fill", "Tempo"),  # of a sport that was corrected
        ({"title": "Around the lake"}, "refresh", "Around the lake"),
        ({"said_by": SaidBy(title="runner")}, "refresh", "Morning run"),
        ({"title": "Lunch", "said_by": SaidBy(title="strava")}, "fill", "Lunch"),
        ({"title": "Lunch", "said_by": SaidBy(title="strava")}, "refresh", "Tempo"),
    ],
)
def test_a_title_is_taken_where_nobody_said_one(before: dict[str, Any], words: Words, title: str) -> None:
    after = merged(an_activity(FILE, **before), told(title="Tempo"), words, sampled=(True, True)).activity
    assert after.title == title
    assert (after.said_by.title == "strava") is (title in {"Tempo", "Lunch"})


def test_what_is_taken_back_at_strava_goes_and_the_default_gear_does_not() -> None:
    by_strava = an_activity(
        FILE, description="Wet", gear_id="blue", said_by=SaidBy(description="strava", gear_id="strava")
    )
    after = merged(by_strava, told(), "refresh", sampled=(True, True)).activity
    assert (after.description, after.gear_id, after.said_by) == (None, None, SaidBy())
    by_default = an_activity(FILE, gear_id="new")
    assert merged(by_default, told(), "refresh", sampled=(True, True)).activity.gear_id == "new"
    assert merged(by_default, told(gear_id="blue"), "refresh", sampled=(True, True)).activity.gear_id == "blue"


def test_a_sport_that_its_runner_said_stays() -> None:
    said = an_activity(STRAVA, sport="hiking", said_by=SaidBy(sport="runner"))
    for new in (STRAVA_ANEW, FILE):
        assert merged(said, an_activity(new), "refresh", sampled=(True, True)).activity.sport == "hiking"
    told_anew = an_activity(STRAVA_ANEW, sport="walking")
    assert merged(an_activity(STRAVA), told_anew, "refresh", sampled=(True, True)).activity.sport == "walking"


def test_what_changes_nothing_is_the_same() -> None:
    before = an_activity(STRAVA, title="Tempo", said_by=SaidBy(title="strava"))
    assert merged(before, told(title="Tempo"), "refresh", sampled=(True, True)).activity == before


@pytest.mark.parametrize(
    ("word", "sport"),
    [
        ("Run", "running"),
        ("TrailRun", "running"),
        ("EMountainBikeRide", "cycling"),
        ("NordicSki", "skiing"),
        ("StandUpPaddling", "paddling"),
        ("Badminton", "other"),
        ("Trail Run", "running"),
    ],
)
def test_stravas_words_for_sports_are_known(word: str, sport: str) -> None:
    assert sport_named(word) == sport
