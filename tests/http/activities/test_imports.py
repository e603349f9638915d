"""An archive becomes activities in the background: each file once, with a reason where it fails, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from tests.support import archives
from tests.support.archives import zipped
from tests.support.recordings import START, Session, a_run, fit, gpx, tcx
from tests.support.runners import API, Runner, Told, Track

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIELDS = {
    "id", "state", "kind", "total", "done", "added", "duplicates", "skipped", "failures", "failed", "reason", "created_at",
    "updated_at",
}  # fmt: skip


def a_file(number: int, **options: Any) -> bytes:
    """A run of its own: two hours after the one before."""
    return gpx(a_run(120, start=START + timedelta(hours=2 * number)), **options)


async def send(runner: Runner, archive: bytes, **headers: str) -> Told:
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(archive), filename="all.zip", content_type="application/zip")
    return await runner.ask("POST", "/imports", data=form, headers=headers)


async def ended(runner: Runner, import_id: str, within_s: float = 120) -> dict[str, Any]:
    async with asyncio.timeout(within_s):
        while True:
            told = (await runner.get(f"/imports/{import_id}")).json
            if told["state"] not in {"waiting", "running"}:
                return dict(told)
            await asyncio.sleep(0.05)


async def imported(runner: Runner, archive: bytes) -> dict[str, Any]:
    told = await send(runner, archive)
    assert told.status == 202, told.body
    return await ended(runner, told.json["id"])


async def all_of(runner: Runner) -> list[dict[str, Any]]:
    return (await runner.get("/activities", limit=100, sort="started_at")).items


async def left(track: Track, runner: Runner) -> Mapping[str, Sequence[Any]]:
    """What is kept of archives, by collection."""
    database = track.mongo.database("runnerly_activities")
    found = {}
    for name in ("archives.files", "archives.chunks", "unclaimed_archives"):
        documents = await database.collection(name).find({}, {"data": 0}).to_list(None)
        found[name] = [one for one in documents if name == "archives.chunks" or runner.sub in str(one)]
    return found


async def test_a_zip_of_files_becomes_activities(runner: Runner, shared_track: Track) -> None:
    run, ride = a_run(600, start=START + timedelta(days=1)), a_run(600, speed=9.0, start=START + timedelta(days=2))
    told = await send(
        runner,
        zipped(
            {
                "2026/march/one.gpx": a_file(0),
                "two.tcx": tcx([run]),
                "three.FIT.gz": gzip.compress(fit(Session(ride, sport=2))),
                "again.gpx": a_file(0),
                "notes.txt": b"remember the milk",
                "broken.fit": fit(Session(run))[:100],
                "<img src=x onerror=alert(1)>.gpx": b"<html>",
                "../../out.gpx": a_file(5),
            }
        ),
    )
    assert told.status == 202
    assert set(told.json) == FIELDS
    assert told.headers["Location"] == f"/api/v1/imports/{told.json['id']}"
    assert (told.json["state"], told.json["kind"], told.json["total"], told.json["done"]) == ("waiting", "files", 8, 0)
    end = await ended(runner, told.json["id"])
    assert (end["state"], end["done"], end["added"], end["duplicates"], end["failures"]) == ("done", 8, 3, 1, 4)
    reasons = {failure["name"]: failure["reason"] for failure in end["failed"]}
    assert set(reasons) == {"notes.txt", "broken.fit", "<img src=x onerror=alert(1)>.gpx", "../../out.gpx"}
    assert "neither a FIT" in reasons["notes.txt"]
    assert "leads out" in reasons["../../out.gpx"]
    activities = await all_of(runner)
    assert [one["source"]["name"] for one in activities] == ["one.gpx", "two.tcx", "three.FIT.gz"]
    assert (await runner.get(f"/activities/{activities[0]['id']}/original")).body == a_file(0)
    assert (await runner.get("/stats", by="year")).items[0]["activities"] == 3
    kept = await left(shared_track, runner)
    assert (kept["archives.files"], kept["unclaimed_archives"]) == ([], [])
    assert [one["id"] for one in (await runner.get("/imports")).items] == [end["id"]]


async def test_stravas_export_brings_titles_descriptions_and_gear(runner: Runner) -> None:
    ride = a_run(600, speed=9.0, start=START + timedelta(hours=5))
    end = await imported(
        runner,
        archives.strava(
            [
                ("1.gpx", "Tempo", "Run", "With <b>Zoë</b>\nin the rain", "Blue ones", a_file(0)),
                ("2.fit.gz", "Ride", "Ride", "", "Bike", gzip.compress(fit(Session(ride, sport=2)))),
                ("3.gpx", "Hike with the blue ones", "Hike", "", "blue ones", a_file(4, kind=None)),
            ],
            archives.STRAVA_HEADER_GERMAN,
        ),
    )
    assert (end["kind"], end["state"], end["total"], end["added"]) == ("strava", "done", 3, 3)
    run, cycled, hike = await all_of(runner)
    assert (run["title"], run["description"]) == ("Tempo", "With <b>Zoë</b>\nin the rain")
    assert (hike["title"], hike["sport"]) == ("Hike with the blue ones", "hiking")
    gear = {one["name"]: one for one in (await runner.get("/gear")).items}
    assert set(gear) == {"Blue ones", "Bike"}
    assert (run["gear_id"], cycled["gear_id"], hike["gear_id"]) == (
        gear["Blue ones"]["id"],
        gear["Bike"]["id"],
        gear["Blue ones"]["id"],
    )
    assert gear["Blue ones"]["distance_m"] == pytest.approx(run["distance_m"] + hike["distance_m"])
    assert (gear["Bike"]["kind"], gear["Bike"]["activities"]) == ("bike", 1)


async def test_what_is_brought_does_not_get_todays_shoes(runner: Runner) -> None:
    await runner.ask("POST", "/gear", json={"kind": "shoes", "name": "New", "default_for": ["running"]})
    await imported(runner, zipped({"old.gpx": a_file(0)}))
    assert [one["gear_id"] for one in await all_of(runner)] == [None]


async def test_garmins_export_brings_titles_and_passes_over_what_is_no_activity(runner: Runner) -> None:
    start = int(START.timestamp() * 1000)
    groups = [
        {"a@b.example_1.fit": fit(Session(a_run(600))), "a@b.example_2.fit": fit(Session(a_run(600)), kind=32)},
        {"a@b.example_3.fit": b"damaged"},
    ]
    end = await imported(runner, archives.garmin(groups, {start: "Berlin Laufen"}))
    assert (end["kind"], end["total"], end["added"], end["skipped"], end["failures"]) == ("garmin", 3, 1, 1, 1)
    assert [one["title"] for one in await all_of(runner)] == ["Berlin Laufen"]


async def test_followers_see_it_go_on_and_end(runner: Runner, other: Runner) -> None:
    told = await send(runner, zipped({f"{number}.gpx": a_file(number) for number in range(12)}))
    path = f"{API}/imports/{told.json['id']}"
    headers = {"Authorization": f"Bearer {runner.token}"}
    events: list[tuple[int, dict[str, Any]]] = []
    async with asyncio.timeout(60), runner.client.get(f"{runner.url}{path}/events", headers=headers) as stream:
        assert stream.content_type == "text/event-stream"
        text = (await stream.read()).decode()
    for block in text.split("\n\n"):
        if "data: " in block:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            events.append((int(fields["id"]), json.loads(fields["data"])))
    assert [number for number, _ in events] == sorted({number for number, _ in events})
    assert len(events) >= 2
    assert all(set(event) == FIELDS for _, event in events)
    assert events[-1][1] == (await runner.get(f"/imports/{told.json['id']}")).json
    assert (events[-1][1]["state"], events[-1][1]["done"]) == ("done", 12)
    seen = {**headers, "Last-Event-ID": str(events[-1][0])}
    async with runner.client.get(f"{runner.url}{path}/events", headers=seen) as again:
        assert await again.read() == b""
    assert (await other.get(f"/imports/{told.json['id']}")).status == 404
    assert (await other.get(f"/imports/{told.json['id']}/events")).status == 404
    assert (await other.ask("DELETE", f"/imports/{told.json['id']}")).status == 404


async def test_it_stops_on_request_and_keeps_what_it_has(runner: Runner, shared_track: Track) -> None:
    told = await send(runner, zipped({f"{number}.gpx": a_file(number) for number in range(60)}))
    path = f"/imports/{told.json['id']}"
    async with asyncio.timeout(60):
        while (await runner.get(path)).json["added"] < 2:
            await asyncio.sleep(0.02)
    assert (await runner.ask("DELETE", path)).status == 204
    stopped = (await runner.get(path)).json
    assert stopped["state"] == "stopped"
    assert 2 <= stopped["done"] < 60
    await asyncio.sleep(0.5)  # whoever worked on it would have gone on by now
    assert (await runner.get(path)).json == stopped
    assert len(await all_of(runner)) == stopped["added"]
    kept = await left(shared_track, runner)
    assert (kept["archives.files"], kept["unclaimed_archives"]) == ([], [])
    assert (await runner.ask("DELETE", path)).status == 204


async def test_the_same_archive_again_is_all_duplicates(runner: Runner) -> None:
    archive = zipped({f"{number}.gpx": a_file(number) for number in range(3)})
    await imported(runner, archive)
    end = await imported(runner, archive)
    assert (end["added"], end["duplicates"], end["failures"]) == (0, 3, 0)


async def test_a_key_brings_an_archive_once(runner: Runner) -> None:
    archive = zipped({"a.gpx": a_file(0)})
    first = await send(runner, archive, **{"Idempotency-Key": "z"})
    again = await send(runner, archive, **{"Idempotency-Key": "z"})
    assert (first.status, again.status, first.json["id"]) == (202, 202, again.json["id"])
    assert len((await runner.get("/imports")).items) == 1
    await ended(runner, first.json["id"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "no ZIP"),
        (a_file(0), "no ZIP"),
        (zipped({"folder/": b""}), "no files"),
        (zipped({"a.gpx": a_file(0)})[:-30], "cut off"),
    ],
)
async def test_what_is_no_archive_is_refused_and_leaves_nothing(
    runner: Runner, shared_track: Track, content: bytes, reason: str
) -> None:
    told = await send(runner, content)
    assert (told.status, told.json["type"]) == (422, "/problems/not-an-archive")
    assert reason in told.json["detail"]
    assert (await runner.get("/imports")).items == []
    kept = await left(shared_track, runner)
    assert (kept["archives.files"], kept["unclaimed_archives"]) == ([], [])


async def test_one_can_not_fill_the_queue(runner: Runner) -> None:
    archive = zipped({f"{number}.gpx": a_file(number) for number in range(40)})
    told = [await send(runner, archive) for _ in range(4)]
    assert [one.status for one in told] == [202, 202, 202, 429]
    for one in told[:3]:
        await runner.ask("DELETE", f"/imports/{one.json['id']}")


async def test_bringing_needs_the_scope(shared_track: Track) -> None:
    reader = await shared_track.runner("activities:read")
    assert (await send(reader, zipped({"a.gpx": a_file(0)}))).status == 403


async def test_times_are_told_as_everywhere(runner: Runner) -> None:
    end = await imported(runner, zipped({"a.gpx": a_file(0)}))
    assert datetime.fromisoformat(end["created_at"]) <= datetime.fromisoformat(end["updated_at"])
