"""A run that Strava tells of is kept once: told again, beside a file, edited here, removed here, in either order, at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity
from tests.http.activities.test_imports import all_of, imported
from tests.support import archives
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import START, Session, a_run, fit, gpx, tcx, without
from tests.support.runners import Runner, Told, Track
from tests.support.strava import strava_run

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN = a_run(900)
NUMBERS = ("distance_m", "elapsed_s", "moving_s", "average_heart_rate_bpm", "average_cadence_spm", "load", "local_date")


async def read(runner: Runner, activity_id: str | None) -> dict[str, Any]:
    told = await runner.get(f"/activities/{activity_id}")
    assert told.status == 200, told.body
    activity: dict[str, Any] = told.json
    return activity


async def edit(runner: Runner, activity_id: str | None, **changes: Any) -> None:
    told = await runner.ask("PATCH", f"/activities/{activity_id}", json=changes)
    assert told.status == 200, told.body


async def the_one(runner: Runner) -> dict[str, Any]:
    (activity,) = await all_of(runner)
    return activity


async def distance_in_all(runner: Runner) -> float:
    return sum(month["distance_m"] for month in (await runner.get("/stats", by="month")).items)


async def test_it_becomes_what_its_file_would(shared_track: Track, runner: Runner, other: Runner) -> None:
    outcome, activity_id = await shared_track.told(runner, "1234567890123", strava_run(RUN, device="Garmin 245"))
    assert outcome == "added"
    from_strava, from_file = await read(runner, activity_id), await other.uploaded(tcx([RUN]))
    assert {name: from_strava[name] for name in NUMBERS} == {name: from_file[name] for name in NUMBERS}
    assert from_strava["average_cadence_spm"] == 170.0  # Strava counts one leg
    assert (from_strava["title"], from_strava["device"], from_strava["sport"]) == ("Lunch Run", "Garmin 245", "running")
    assert (from_strava["source"]["kind"], from_strava["source"]["format"]) == ("strava", None)
    for part in ("streams?points=50", "splits", "best-efforts"):
        theirs = (await runner.get(f"/activities/{activity_id}/{part.split('?')[0]}")).json
        assert theirs == (await other.get(f"/activities/{from_file['id']}/{part.split('?')[0]}")).json, part
    assert (await runner.get("/stats/records")).items[0]["activity_id"] == activity_id
    assert (await runner.get(f"/activities/{activity_id}/original")).status == 404
    assert (await runner.get(f"/activities/{activity_id}/export.gpx")).status == 200


async def test_without_positions_it_counts_on_the_day_of_stravas_zone(shared_track: Track, runner: Runner) -> None:
    late = START.replace(hour=16)
    run = strava_run(without(a_run(600, start=late), "lat", "lon"), timezone="Asia/Tokyo")
    _, activity_id = await shared_track.told(runner, "5", run)
    activity = await read(runner, activity_id)
    assert (activity["timezone"], activity["local_date"]) == ("Asia/Tokyo", "2026-03-02")


async def test_entered_by_hand_at_strava_it_is_its_totals(shared_track: Track, runner: Runner) -> None:
    run = strava_run(RUN, streams=None, sport_type="WeightTraining", distance_m=0, calories_kcal=300)
    _, activity_id = await shared_track.told(runner, "6", run)
    activity = await read(runner, activity_id)
    assert (activity["sport"], activity["elapsed_s"], activity["calories_kcal"]) == ("fitness", 900.0, 300.0)


async def test_told_again_it_changes_nothing(shared_track: Track, runner: Runner) -> None:
    first = await shared_track.told(runner, "1", strava_run(RUN, gear="Blue"))
    before = await runner.get(f"/activities/{first[1]}")
    assert await shared_track.told(runner, "1", strava_run(RUN, gear="Blue")) == ("unchanged", first[1])
    after = await runner.get(f"/activities/{first[1]}")
    assert (after.json, after.headers["Etag"]) == (before.json, before.headers["Etag"])


async def test_what_changed_at_strava_changes_here_but_for_what_was_said_here(
    shared_track: Track, runner: Runner
) -> None:
    _, activity_id = await shared_track.told(runner, "1", strava_run(RUN, description="Wet", gear="Blue"))
    await edit(runner, activity_id, title="Mine", perceived_exertion=8)
    again = strava_run(a_run(800), title="Tempo", description=None, gear="Red")
    assert await shared_track.told(runner, "1", again) == ("merged", activity_id)
    activity = await read(runner, activity_id)
    assert (activity["title"], activity["description"], activity["perceived_exertion"]) == ("Mine", None, 8)
    assert activity["distance_m"] == 2400.0
    assert await distance_in_all(runner) == 2400.0
    worn = {gear["name"]: gear["distance_m"] for gear in (await runner.get("/gear")).items}
    assert worn == {"Blue": 0.0, "Red": 2400.0}


async def test_what_was_taken_away_here_does_not_come_back(shared_track: Track, runner: Runner) -> None:
    run = strava_run(RUN, description="Wet", gear="Blue")
    _, activity_id = await shared_track.told(runner, "1", run)
    await edit(runner, activity_id, description=None, sport="hiking")
    (blue,) = (await runner.get("/gear")).items
    await runner.ask("DELETE", f"/gear/{blue['id']}")
    await shared_track.told(runner, "1", {**run, "title": "Other", "gear": "Blue", "distance_m": 2690})
    activity = await read(runner, activity_id)
    assert (activity["title"], activity["description"], activity["gear_id"]) == ("Other", None, None)
    assert (activity["sport"], activity["distance_m"]) == ("hiking", 2690.0)
    assert (await runner.get("/gear")).items == []


async def test_a_run_that_was_removed_does_not_come_back(shared_track: Track, runner: Runner) -> None:
    _, activity_id = await shared_track.told(runner, "1", strava_run(RUN))
    await runner.ask("DELETE", f"/activities/{activity_id}")
    assert await shared_track.told(runner, "1", strava_run(RUN, title="Again")) == ("removed", None)
    assert await all_of(runner) == []
    assert (await shared_track.told(runner, "2", strava_run(RUN)))[0] == "added"  # it was recorded there once more


# -- and in a file


async def test_a_file_that_was_first_keeps_its_data_and_gets_stravas_words(shared_track: Track, runner: Runner) -> None:
    content = fit(Session(RUN, lap_starts=[0, 300]))
    file = await runner.uploaded(content, "watch.fit")
    run = strava_run(a_run(890), title="Tempo", description="Wet", gear="Blue", distance_m=2680)
    assert await shared_track.told(runner, "1", run) == ("merged", file["id"])
    activity = await the_one(runner)
    assert (activity["title"], activity["description"], activity["distance_m"]) == ("Tempo", "Wet", 2700.0)
    assert activity["source"] == file["source"]
    assert len((await runner.get(f"/activities/{file['id']}/laps")).items) == 2
    assert (await runner.get(f"/activities/{file['id']}/original")).body == content
    assert await shared_track.told(runner, "1", run) == ("unchanged", file["id"])
    await shared_track.told(runner, "1", {**run, "title": "Tempo, wet", "distance_m": 2690})
    assert ((await the_one(runner))["title"], (await the_one(runner))["distance_m"]) == ("Tempo, wet", 2700.0)


async def test_titles_of_a_file_or_of_its_runner_stay(shared_track: Track, runner: Runner) -> None:
    named = await runner.uploaded(gpx(RUN, name="Around the lake"))
    edited = await runner.uploaded(fit(Session(a_run(900, start=START + timedelta(days=1)))))
    await edit(runner, edited["id"], title="Morning swim")
    await edit(runner, edited["id"], title="Morning run")  # which is what we call it, and now what they do
    await shared_track.told(runner, "1", strava_run(RUN))
    await shared_track.told(runner, "2", strava_run(a_run(900, start=START + timedelta(days=1))))
    titles = {one["id"]: one["title"] for one in await all_of(runner)}
    assert titles == {named["id"]: "Around the lake", edited["id"]: "Morning run"}


async def test_samples_win_over_what_was_entered_by_hand_and_its_words_stay(
    shared_track: Track, runner: Runner
) -> None:
    by_hand = {
        "sport": "hiking",
        "started_at": "2026-03-01T07:00:30Z",
        "timezone": "Europe/Paris",
        "distance_m": 2720,
        "elapsed_s": 1000,
        "title": "Up",
    }
    entered = await runner.ask("POST", "/activities/manual", json=by_hand)
    totals = strava_run(RUN, streams=None, distance_m=2710, description="Wet")
    assert await shared_track.told(runner, "1", totals) == ("merged", entered.json["id"])
    assert ((await the_one(runner))["distance_m"], (await the_one(runner))["description"]) == (2720.0, "Wet")
    await shared_track.told(runner, "1", strava_run(RUN, description="Wet"))
    activity = await the_one(runner)
    assert (activity["title"], activity["sport"], activity["elapsed_s"]) == ("Up", "hiking", 900.0)
    assert activity["source"]["kind"] == "strava"
    assert (await runner.get(f"/activities/{activity['id']}/streams")).json["points"] > 100


async def test_an_upload_after_strava_is_refused_and_an_archive_brings_the_richer_data(
    shared_track: Track, runner: Runner
) -> None:
    _, activity_id = await shared_track.told(runner, "1", strava_run(a_run(890), gear="Blue"))
    await edit(runner, activity_id, title="Mine")
    content = fit(Session(RUN, lap_starts=[0, 300]))
    refused = await runner.upload(content, "watch.fit")
    assert (refused.status, refused.json["existing"]) == (409, {"id": activity_id})
    for _ in range(2):
        end = await imported(runner, archives.zipped({"watch.fit": content}))
        assert (end["added"], end["duplicates"], end["failures"]) == (0, 1, 0)
        activity = await the_one(runner)
        assert (activity["id"], activity["title"], activity["distance_m"]) == (activity_id, "Mine", 2700.0)
        assert activity["source"]["kind"] == "file"
        assert (await runner.get(f"/activities/{activity_id}/original")).body == content
        assert await distance_in_all(runner) == 2700.0
    await shared_track.told(runner, "1", strava_run(a_run(880)))
    assert (await the_one(runner))["distance_m"] == 2700.0


async def test_a_file_of_totals_does_not_take_the_place_of_samples(shared_track: Track, runner: Runner) -> None:
    _, activity_id = await shared_track.told(runner, "1", strava_run(RUN))
    totals = fit(Session([], start=START, elapsed=900, distance=2700))
    end = await imported(runner, archives.zipped({"watch.fit": totals}))
    assert (end["added"], end["duplicates"]) == (0, 1)
    assert (await read(runner, activity_id))["source"]["kind"] == "strava"


async def test_both_at_once_are_one(shared_track: Track, runner: Runner) -> None:
    for day in range(4):
        points = a_run(600, start=START + timedelta(days=day))
        told: list[Told] = await asyncio.gather(
            shared_track.tell(runner, str(day), strava_run(points, title="Lunch")),
            runner.upload(fit(Session(points)), "watch.fit"),
            shared_track.tell(runner, str(day), strava_run(points, title="Lunch")),
        )
        assert {one.status for one in told} <= {200, 201, 409}
        assert len(await all_of(runner)) == day + 1
    assert await distance_in_all(runner) == 4 * 1800.0


async def test_two_of_stravas_that_are_one_stay_one(shared_track: Track, runner: Runner) -> None:
    first = await shared_track.told(runner, "1", strava_run(RUN, title="By watch"))
    assert await shared_track.told(runner, "2", strava_run(RUN, title="By phone")) == ("merged", first[1])
    assert await shared_track.told(runner, "2", strava_run(RUN, title="By phone")) == ("unchanged", first[1])
    assert (await the_one(runner))["title"] == "By watch"
    await runner.ask("DELETE", f"/activities/{first[1]}")
    assert await shared_track.told(runner, "2", strava_run(RUN)) == ("removed", None)


async def test_runs_of_others_are_others(shared_track: Track, runner: Runner, other: Runner) -> None:
    _, mine = await shared_track.told(runner, "1", strava_run(RUN))
    outcome, theirs = await shared_track.told(other, "1", strava_run(RUN))
    assert outcome == "added"
    assert mine != theirs


# -- and in archives


async def test_stravas_export_says_what_nobody_said_of_what_is_here(shared_track: Track, runner: Runner) -> None:
    days = [START + timedelta(days=day) for day in range(4)]
    contents = [gpx(a_run(900, start=day), name=None) for day in days]
    unsaid = await runner.uploaded(contents[0])
    said = await runner.uploaded(contents[1])
    await edit(runner, said["id"], title="Mine", gear_id=None, description="Dry")
    told = [(f"{n}.gpx", f"Title {n}", "Run", "Wet", "Blue", content) for n, content in enumerate(contents)]
    export = archives.strava(told)
    later = archives.strava_id_of("Title 2", contents[2])
    _, from_strava = await shared_track.told(runner, later, strava_run(a_run(890, start=days[2]), title="New"))
    for added in (1, 0):
        end = await imported(runner, export)
        assert (end["added"], end["duplicates"], end["failures"]) == (added, 4 - added, 0)
        all_by_id = {one["id"]: one for one in await all_of(runner)}
        (blue,) = (await runner.get("/gear")).items
        first, second, third = (all_by_id[id_] for id_ in (unsaid["id"], said["id"], from_strava))
        assert (first["title"], first["description"], first["gear_id"]) == ("Title 0", "Wet", blue["id"])
        assert (second["title"], second["description"], second["gear_id"]) == ("Mine", "Dry", blue["id"])
        assert (third["title"], third["description"], third["source"]["kind"]) == ("New", "Wet", "file")
        assert blue["activities"] == 4
    await edit(runner, unsaid["id"], title="Mine too", gear_id=None)
    await imported(runner, export)
    strava_id = archives.strava_id_of("Title 0", contents[0])
    _, known = await shared_track.told(runner, strava_id, strava_run(a_run(500, start=days[0])))
    assert known == unsaid["id"]
    again = await read(runner, unsaid["id"])
    assert (again["title"], again["gear_id"]) == ("Mine too", None)


async def test_what_its_runner_brings_again_comes_back(shared_track: Track, runner: Runner) -> None:
    content = gpx(RUN)
    strava_id = archives.strava_id_of("Tempo", content)
    _, activity_id = await shared_track.told(runner, strava_id, strava_run(RUN))
    await runner.ask("DELETE", f"/activities/{activity_id}")
    end = await imported(runner, archives.strava([("1.gpx", "Tempo", "Run", "", "", content)]))
    assert end["added"] == 1
    outcome, again = await shared_track.told(runner, strava_id, strava_run(RUN, title="Tempo, dry"))
    assert (outcome, again) == ("merged", (await the_one(runner))["id"])
    assert (await the_one(runner))["title"] == "Tempo, dry"


async def test_a_sport_said_at_strava_is_what_the_file_is_read_as(runner: Runner) -> None:
    content = fit(Session(RUN))
    await imported(runner, archives.strava([("1.fit", "Up", "Ride", "", "", content)]))
    activity = await the_one(runner)
    assert (activity["sport"], activity["average_cadence_spm"]) == ("cycling", 85.0)  # turns, and not steps


# -- what can't be


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timezone": "Nowhere/Land"}, "timezone"),
        ({"streams": {"time_s": [0, 1, 2], "lat_deg": [1.0]}}, "streams"),
        ({"streams": {"time_s": [0, 1], "heart_rate": [1.0, 2.0]}}, "streams"),
        ({"streams": {"time_s": "x"}}, "streams"),
        ({"streams": None, "elapsed_s": 0, "moving_s": 0}, "streams"),
        ({"streams": {"time_s": list(range(0, 33 * 86_400, 86_400))}}, "streams"),
        ({"distance_m": -1}, "distance_m"),
        ({"wind_mps": 3}, "wind_mps"),
    ],
)
async def test_what_can_not_be_is_refused_with_the_field(
    shared_track: Track, runner: Runner, changes: dict[str, Any], field: str
) -> None:
    told = await shared_track.tell(runner, "1", {**strava_run(RUN), **changes})
    assert (told.status, told.json["errors"][0]["field"]) == (422, field)
    assert await all_of(runner) == []


async def test_only_the_service_that_talks_to_strava_may_tell(shared_track: Track, runner: Runner) -> None:
    logs = RecordedLogs()
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    accounts = Identity.of("accounts", shared_track.settings, http)
    told = await shared_track.tell(runner, "1", strava_run(RUN), who=accounts)
    await http.close()
    logs.close()
    assert told.status == 403
    assert (await shared_track.tell(runner, "one", strava_run(RUN))).status == 422
