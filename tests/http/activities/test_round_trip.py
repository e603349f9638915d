"""What one takes out of one account and brings to another is the same there."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from datetime import timedelta
from typing import Any

import pytest

from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity
from tests.http.activities.test_imports import all_of, imported
from tests.support.archives import zipped
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import START, Session, a_run, fit, gpx, tcx
from tests.support.runners import Runner, Track
from tests.support.strava import strava_run

pytestmark = pytest.mark.asyncio(loop_scope="session")

LATER = [START + timedelta(days=day) for day in range(6)]


async def taken_out(track: Track, runner: Runner) -> dict[str, bytes]:
    """What the service gives of a person, by path."""
    logs = RecordedLogs()
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    token = await Identity.of("accounts", track.settings, http).token("activities")
    url = f"{track.settings.peer('activities')}/internal/v1/people/{runner.sub}"
    async with track.client.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status == 200
        content = await answer.read()
    await http.close()
    logs.close()
    with tarfile.open(fileobj=io.BytesIO(content)) as taken:
        return {member.name: taken.extractfile(member).read() for member in taken}  # type: ignore[union-attr]


def takeout(members: dict[str, bytes], **manifest: Any) -> bytes:
    """The ZIP that a person is given, as `docs/takeout.md` has it."""
    told = {"format": "runnerly-takeout", "version": 1, "made_at": "2026-03-14T07:30:00Z", "services": [], **manifest}
    return zipped({**members, "manifest.json": json.dumps(told).encode()})


async def whole(runner: Runner) -> Any:
    """All that there is of a runner, without what names things here."""
    gear = {one["id"]: one for one in (await runner.get("/gear")).items}
    told = []
    for one in await all_of(runner):
        path = f"/activities/{one['id']}"
        parts = [(await runner.get(f"{path}/{part}")).json for part in ("streams", "laps", "splits", "best-efforts")]
        original = await runner.get(f"{path}/original")
        one["gear_id"] = gear[one["gear_id"]]["name"] if one["gear_id"] else None
        told.append(
            (
                {**one, "id": "", "updated_at": ""},
                parts,
                original.status,
                original.body if original.status == 200 else b"",
            )
        )
    stats = [(await runner.get("/stats", by=by)).json for by in ("day", "month")]
    shelf = sorted(json.dumps({**one, "id": ""}, sort_keys=True) for one in gear.values())
    zones = [{**zone, "id": ""} for zone in (await runner.get("/privacy-zones")).items]
    return told, stats, shelf, zones


async def a_life(runner: Runner) -> None:
    """Some of everything a runner can have, with everything that can be said about it."""
    shoes = await runner.ask("POST", "/gear", json={"kind": "shoes", "name": "Blue", "default_for": ["running"]})
    await runner.ask("POST", "/gear", json={"kind": "bike", "name": "Old", "retired": True, "retire_at_m": 9_000_000})
    await runner.ask("POST", "/privacy-zones", json={"name": "Home", "lat": 48.85, "lon": 2.35, "radius_m": 200})
    run = await runner.uploaded(gpx(a_run(600)), "morning.gpx")
    await runner.ask(
        "PATCH",
        f"/activities/{run['id']}",
        json={
            "title": "Über den Berg",
            "description": "One\nTwo <b>",
            "sport": "hiking",
            "visibility": "public",
            "perceived_exertion": 7,
        },
    )
    await runner.uploaded(gzip.compress(tcx([a_run(600, start=LATER[1])])), "run.tcx.gz")
    ride = a_run(1200, speed=9.0, start=LATER[2] + timedelta(seconds=1300))
    both = await runner.upload(fit(Session(a_run(1200, start=LATER[2])), Session(ride, sport=2)), "both.fit")
    await runner.ask("DELETE", f"/activities/{both.items[0]['id']}")
    await runner.ask(
        "POST",
        "/activities/manual",
        json={
            "sport": "swimming",
            "started_at": "2026-03-08T23:30:00+09:00",
            "timezone": "Asia/Tokyo",
            "distance_m": 1500,
            "elapsed_s": 2100,
            "moving_s": 2000,
            "title": "In the bay",
            "description": "Cold",
            "average_heart_rate_bpm": 130,
            "calories_kcal": 400,
            "perceived_exertion": 3,
            "gear_id": shoes.json["id"],
        },
    )


async def test_all_of_it_is_the_same_in_another_account(runner: Runner, other: Runner, shared_track: Track) -> None:
    await a_life(runner)
    members = await taken_out(shared_track, runner)
    end = await imported(other, takeout(members))
    assert (end["kind"], end["state"], end["failed"]) == ("takeout", "done", [])
    assert (end["total"], end["added"]) == (4, 4)
    here, there = await whole(runner), await whole(other)
    assert there == here
    again = await imported(other, takeout(await taken_out(shared_track, other)))
    assert (again["added"], again["duplicates"]) == (0, 4)
    assert await whole(other) == there


async def test_runs_of_strava_are_the_same_too_and_known_again(
    runner: Runner, other: Runner, shared_track: Track
) -> None:
    runs = [a_run(600, start=day) for day in LATER[:3]]
    await shared_track.told(runner, "1", strava_run(runs[0], description="Wet", gear="Blue"))
    await runner.uploaded(fit(Session(runs[1])), "watch.fit")
    _, edited = await shared_track.told(runner, "2", strava_run(runs[1], title="Tempo"))
    await runner.ask("PATCH", f"/activities/{edited}", json={"description": "Mine"})
    _, removed = await shared_track.told(runner, "3", strava_run(runs[2]))
    await runner.ask("DELETE", f"/activities/{removed}")
    members = await taken_out(shared_track, runner)
    end = await imported(other, takeout(members))
    assert (end["added"], end["failed"]) == (2, [])
    assert await whole(other) == await whole(runner)
    assert (await shared_track.told(other, "1", strava_run(runs[0], description="Dry", gear="Blue")))[0] == "merged"
    assert (await shared_track.told(other, "2", strava_run(runs[1], title="Slow", description="Theirs")))[0] == "merged"
    assert await shared_track.told(other, "3", strava_run(runs[2])) == ("removed", None)
    assert {(one["title"], one["description"]) for one in await all_of(other)} == {
        ("Lunch Run", "Dry"),
        ("Slow", "Mine"),
    }
    before = await whole(other)
    end = await imported(other, takeout(members))
    assert (end["added"], end["duplicates"]) == (0, 2)
    assert await whole(other) == before


async def test_what_strava_told_can_not_be_uploaded(runner: Runner, shared_track: Track) -> None:
    await shared_track.told(runner, "1", strava_run(a_run(600)))
    members = await taken_out(shared_track, runner)
    (content,) = (content for path, content in members.items() if path.startswith("originals/"))
    assert (await runner.upload(content, "run.json")).status == 422
    end = await imported(runner, zipped({"run.json": content}))
    assert (end["added"], end["failures"]) == (0, 1)


async def test_it_does_not_overwrite_what_is_there(runner: Runner, other: Runner, shared_track: Track) -> None:
    run = await runner.uploaded(gpx(a_run(600)))
    await runner.ask("PATCH", f"/activities/{run['id']}", json={"title": "Theirs"})
    await runner.ask("POST", "/gear", json={"kind": "shoes", "name": "blue", "default_for": ["running"]})
    mine = await other.uploaded(gpx(a_run(600)))
    await other.ask("PATCH", f"/activities/{mine['id']}", json={"title": "Mine"})
    shoes = await other.ask("POST", "/gear", json={"kind": "shoes", "name": "Blue", "default_for": ["running"]})
    end = await imported(other, takeout(await taken_out(shared_track, runner)))
    assert (end["added"], end["duplicates"]) == (0, 1)
    assert [one["title"] for one in await all_of(other)] == ["Mine"]
    assert (await other.get("/gear")).items == [shoes.json]


async def test_what_was_tampered_with_fails_with_a_reason(runner: Runner, shared_track: Track) -> None:
    members = {
        "activities/1.json": b'{"source": {"kind": "manual"}, "sport": "running", "title": "x", "started_at":'
        b'"2999-01-01T00:00:00Z", "timezone": "UTC", "local_date": "2999-01-01", "distance_m": -5, "elapsed_s": 1,'
        b' "moving_s": 1}',
        "activities/2.json": b"{",
        "activities/3.json": b'{"original": "originals/none.fit"}',
        "activities/4.json": b'{"original": "../../etc/passwd"}',
    }
    end = await imported(runner, takeout(members))
    assert (end["state"], end["total"], end["failures"]) == ("done", 4, 4)
    assert await all_of(runner) == []


async def test_a_takeout_of_a_version_to_come_is_taken_as_files(runner: Runner) -> None:
    end = await imported(runner, takeout({"originals/1.gpx": gpx(a_run(600))}, version=2))
    assert (end["kind"], end["added"]) == ("files", 1)
