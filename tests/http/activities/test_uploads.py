"""Files come in, and are there; what is no activity, or is there already, says so."""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta

import pytest

from tests.support.recordings import START, Session, a_run, fit, gpx, tcx
from tests.support.runners import Runner, Track

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN = a_run(1200)
FIELDS = {
    "id", "sport", "title", "description", "started_at", "timezone", "local_date", "distance_m", "elapsed_s", "moving_s",
    "ascent_m", "descent_m", "average_speed_mps", "max_speed_mps", "average_heart_rate_bpm", "max_heart_rate_bpm",
    "average_cadence_spm", "average_power_w", "calories_kcal", "load", "load_from", "grade_adjusted_speed_mps",
    "polyline", "bounds", "device", "source", "gear_id", "visibility", "perceived_exertion", "laps_count", "created_at",
    "updated_at",
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", ["fit", "gpx", "tcx"])
async def test_a_file_becomes_an_activity_whatever_its_name(runner: Runner, kind: str, packed: bool) -> None:
    content = {"fit": fit(Session(RUN)), "gpx": gpx(RUN), "tcx": tcx([RUN])}[kind]
    sent = gzip.compress(content) if packed else content
    told = await runner.upload(sent, "run.bin")
    assert told.status == 201
    assert set(told.json) == FIELDS
    assert told.headers["Location"] == f"/api/v1/activities/{told.json['id']}"
    assert told.headers["Etag"] == '"1-json"'
    assert (told.json["sport"], told.json["started_at"]) == ("running", "2026-03-01T07:00:00Z")
    assert told.json["distance_m"] == pytest.approx(3600, rel=2e-3)
    source = told.json["source"]
    assert (source["kind"], source["name"], source["format"], len(source["sha256"])) == ("file", "run.bin", kind, 64)
    read = await runner.get(f"/activities/{told.json['id']}")
    assert (read.status, read.json) == (200, told.json)
    assert [item["id"] for item in (await runner.get("/activities")).items] == [told.json["id"]]
    original = await runner.get(f"/activities/{told.json['id']}/original")
    assert original.body == sent


async def test_the_bytes_themselves_can_be_the_body(runner: Runner) -> None:
    told = await runner.ask(
        "POST",
        "/activities",
        data=gpx(RUN),
        params={"filename": "C:\\runs\\morning.gpx"},
        headers={"Content-Type": "application/octet-stream"},
    )
    assert (told.status, told.json["source"]["name"]) == (201, "morning.gpx")


async def test_a_multisport_file_is_an_activity_a_sport(runner: Runner) -> None:
    ride = a_run(1200, speed=9.0, start=START + timedelta(seconds=1300))
    content = fit(Session(RUN), Session(ride, sport=2))
    told = await runner.upload(content)
    assert told.status == 201
    assert "Location" not in told.headers
    assert [item["sport"] for item in told.items] == ["running", "cycling"]
    assert len((await runner.get("/activities")).items) == 2
    assert (await runner.upload(content)).status == 409
    await runner.ask("DELETE", f"/activities/{told.items[1]['id']}")
    again = await runner.upload(content)
    assert (again.status, again.json["sport"]) == (201, "cycling")
    original = await runner.get(f"/activities/{again.json['id']}/original")
    assert original.body == content


async def test_the_same_bytes_are_a_duplicate(runner: Runner, other: Runner) -> None:
    first = await runner.uploaded(gpx(RUN))
    again = await runner.upload(gpx(RUN))
    assert (again.status, again.json["type"], again.json["existing"]) == (
        409,
        "/problems/duplicate-activity",
        {"id": first["id"]},
    )
    assert (await other.upload(gpx(RUN))).status == 201


async def test_the_same_run_by_another_way_is_a_duplicate(runner: Runner) -> None:
    first = await runner.uploaded(gpx(RUN))
    again = await runner.upload(fit(Session(a_run(1200, start=START + timedelta(seconds=40)))))
    assert (again.status, again.json["existing"]) == (409, {"id": first["id"]})
    later = await runner.upload(fit(Session(a_run(1200, start=START + timedelta(seconds=100)))))
    assert later.status == 201


async def test_of_identical_uploads_at_once_one_is_added(runner: Runner) -> None:
    told = await asyncio.gather(*(runner.upload(gpx(RUN)) for _ in range(6)))
    assert sorted(one.status for one in told) == [201] + [409] * 5
    (added,) = [one.json["id"] for one in told if one.status == 201]
    assert {one.json["existing"]["id"] for one in told if one.status == 409} == {added}


async def test_a_deleted_activity_can_come_again(runner: Runner) -> None:
    first = await runner.uploaded(gpx(RUN))
    assert (await runner.ask("DELETE", f"/activities/{first['id']}")).status == 204
    again = await runner.uploaded(gpx(RUN))
    assert again["id"] != first["id"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"hello", "neither"), (b"", "empty"), (gpx(RUN)[:-40], "broken"), (fit(Session(RUN), kind=6), "course")],
)
async def test_what_is_no_activity_is_refused_with_the_reason(runner: Runner, content: bytes, reason: str) -> None:
    told = await runner.upload(content)
    assert (told.status, told.json["type"]) == (422, "/problems/not-an-activity")
    assert reason in told.json["detail"]
    assert told.json["errors"][0]["field"] == "file"
    assert (await runner.get("/activities")).items == []


async def test_a_key_makes_an_upload_happen_once(runner: Runner) -> None:
    first = await runner.upload(gpx(RUN), **{"Idempotency-Key": "k-1"})
    again = await runner.upload(gpx(RUN), "a name that it got since.gpx", **{"Idempotency-Key": "k-1"})
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["Location"] == first.headers["Location"]
    assert len((await runner.get("/activities")).items) == 1
    assert (await runner.upload(gpx(a_run(900)), **{"Idempotency-Key": "k-1"})).status == 422


async def test_of_uploads_with_one_key_at_once_one_is_worked_on(runner: Runner) -> None:
    told = await asyncio.gather(*(runner.upload(gpx(RUN), **{"Idempotency-Key": "k-2"}) for _ in range(4)))
    assert {one.status for one in told} <= {201, 409}
    assert all("Retry-After" in one.headers for one in told if one.status == 409)
    assert len((await runner.get("/activities")).items) == 1


async def test_uploading_needs_the_scope(shared_track: Track) -> None:
    reader = await shared_track.runner("activities:read")
    assert (await reader.upload(gpx(RUN))).status == 403
    nobody = Runner(reader.url, reader.client, "nothing", "")
    assert (await nobody.upload(gpx(RUN))).status == 401


MANUAL = {
    "sport": "running",
    "started_at": "2026-03-01T23:30:00+09:00",
    "timezone": "Asia/Tokyo",
    "distance_m": 5000,
    "elapsed_s": 1500,
}


async def test_an_activity_can_be_added_by_hand(runner: Runner) -> None:
    told = await runner.ask("POST", "/activities/manual", json={**MANUAL, "title": "Around the palace"})
    assert told.status == 201
    activity = told.json
    assert told.headers["Location"].endswith(activity["id"])
    assert (activity["started_at"], activity["local_date"]) == ("2026-03-01T14:30:00Z", "2026-03-01")
    assert (activity["title"], activity["moving_s"], activity["average_speed_mps"]) == (
        "Around the palace",
        1500,
        3.333,
    )
    assert activity["source"] == {"kind": "manual", "name": None, "format": None, "sha256": None}
    for part in ("laps", "splits", "best-efforts"):
        assert (await runner.get(f"/activities/{activity['id']}/{part}")).items == []
    assert (await runner.get(f"/activities/{activity['id']}/streams")).json == {"points": 0, "series": {"time": []}}
    assert (await runner.get(f"/activities/{activity['id']}/original")).status == 404
    assert (await runner.ask("POST", "/activities/manual", json=MANUAL)).status == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"started_at": "2026-03-01T10:00:00"}, "started_at"),
        ({"started_at": "2999-03-01T10:00:00Z"}, "started_at"),
        ({"started_at": "1066-10-14T10:00:00Z"}, "started_at"),
        ({"distance_m": -1}, "distance_m"),
        ({"elapsed_s": 0}, "elapsed_s"),
        ({"moving_s": 1501}, "moving_s"),
        ({"sport": "curling"}, "sport"),
        ({"title": "   "}, "title"),
        ({"owner": "other"}, "owner"),
    ],
)
async def test_what_can_not_have_been_is_refused_by_its_field(
    runner: Runner, changes: dict[str, object], field: str
) -> None:
    told = await runner.ask("POST", "/activities/manual", json=MANUAL | changes)
    assert (told.status, told.json["errors"][0]["field"]) == (422, field)
