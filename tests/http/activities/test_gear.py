"""Gear goes the way of the activities it was used in, whatever happens to them, and retires in time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.support.recordings import START, Session, a_run, fit, gpx
from tests.support.runners import Runner, Track

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOES = {"kind": "shoes", "name": "Blue ones"}
FIELDS = {"id", "kind", "name", "distance_m", "activities", "retire_at_m", "retired", "default_for"}


async def gear(runner: Runner, **fields: object) -> dict[str, Any]:
    told = await runner.ask("POST", "/gear", json={**SHOES, **fields})
    assert told.status == 201, told.body
    made: dict[str, Any] = told.json
    return made


async def state(runner: Runner, made: dict[str, Any]) -> tuple[float, int]:
    told = (await runner.get(f"/gear/{made['id']}")).json
    return told["distance_m"], told["activities"]


async def patch(runner: Runner, path: str, **fields: object) -> dict[str, Any]:
    told = await runner.ask("PATCH", path, json=fields)
    assert told.status == 200, told.body
    changed: dict[str, Any] = told.json
    return changed


async def test_gear_is_added_read_changed_listed_and_removed(runner: Runner, other: Runner) -> None:
    told = await runner.ask("POST", "/gear", json={**SHOES, "retire_at_m": 800_000, "default_for": ["running"]})
    assert (told.status, set(told.json), told.headers["Etag"]) == (201, FIELDS, '"1-json"')
    assert told.headers["Location"] == f"/api/v1/gear/{told.json['id']}"
    assert (await runner.get(f"/gear/{told.json['id']}")).json == told.json
    assert (await other.get(f"/gear/{told.json['id']}")).status == 404
    assert (await other.ask("DELETE", f"/gear/{told.json['id']}")).status == 404
    changed = await patch(runner, f"/gear/{told.json['id']}", name="  Blue   ones, old ", retired=True)
    assert (changed["name"], changed["retired"], changed["retire_at_m"]) == ("Blue ones, old", True, 800_000)
    bike = await gear(runner, kind="bike", name="Zoë's bike")
    listed = await runner.get("/gear")
    assert [one["id"] for one in listed.items] == [bike["id"], told.json["id"]]
    first = await runner.get("/gear", limit=1)
    second = await runner.get("/gear", limit=1, cursor=first.json["next"])
    assert [*first.items, *second.items] == listed.items
    assert second.json["next"] is None
    stale = await runner.ask("PATCH", f"/gear/{told.json['id']}", json={"name": "x"}, headers={"If-Match": '"1-json"'})
    assert stale.status == 412
    assert (await runner.ask("DELETE", f"/gear/{bike['id']}")).status == 204
    assert (await runner.get(f"/gear/{bike['id']}")).status == 404


async def test_a_key_adds_gear_once(runner: Runner) -> None:
    told = [await runner.ask("POST", "/gear", json=SHOES, headers={"Idempotency-Key": "g"}) for _ in range(2)]
    assert told[0].json == told[1].json
    assert len((await runner.get("/gear")).items) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "  "}, "name"),
        ({"kind": "<b>"}, "kind"),
        ({"retire_at_m": 0}, "retire_at_m"),
        ({"default_for": ["curling"]}, "default_for.0"),
        ({"distance_m": 5}, "distance_m"),
    ],
)
async def test_what_is_no_gear_is_refused_by_its_field(runner: Runner, fields: dict[str, Any], field: str) -> None:
    told = await runner.ask("POST", "/gear", json=SHOES | fields)
    assert (told.status, told.json["errors"][0]["field"]) == (422, field)


async def test_its_way_follows_every_change_of_activities(runner: Runner) -> None:
    shoes, spikes = await gear(runner, default_for="running"), await gear(runner, name="Spikes")
    run = await runner.uploaded(gpx(a_run(600)))
    assert run["gear_id"] == shoes["id"], "the default of its sport"
    assert await state(runner, shoes) == (run["distance_m"], 1)
    path = f"/activities/{run['id']}"
    changed = await patch(runner, path, gear_id=spikes["id"])
    assert changed["gear_id"] == spikes["id"]
    assert await state(runner, shoes) == (0, 0)
    assert await state(runner, spikes) == (run["distance_m"], 1)
    by_hand = {
        "sport": "running",
        "started_at": "2026-03-02T10:00:00Z",
        "timezone": "UTC",
        "distance_m": 5000,
        "elapsed_s": 1500,
        "gear_id": spikes["id"],
    }
    assert (await runner.ask("POST", "/activities/manual", json=by_hand)).status == 201
    distance_m, activities = await state(runner, spikes)
    assert (distance_m, activities) == (round(run["distance_m"] + 5000, 3), 2)
    await patch(runner, path, gear_id=None)
    assert await state(runner, spikes) == (5000, 1)
    await patch(runner, path, gear_id=shoes["id"])
    assert (await runner.ask("DELETE", path)).status == 204
    assert await state(runner, shoes) == (0, 0)


async def test_each_sport_of_a_file_gets_its_own(runner: Runner) -> None:
    shoes = await gear(runner, default_for=["running", "walking"])
    bike = await gear(runner, kind="bike", name="Bike", default_for=["cycling"])
    ride = a_run(1200, speed=9.0, start=START + timedelta(seconds=1300))
    told = await runner.upload(fit(Session(a_run(1200)), Session(ride, sport=2)))
    assert [item["gear_id"] for item in told.items] == [shoes["id"], bike["id"]]


async def test_a_sport_has_one_default(runner: Runner) -> None:
    old, new = await gear(runner, default_for=["running", "walking"]), await gear(runner, default_for=["running"])
    assert (await runner.get(f"/gear/{old['id']}")).json["default_for"] == ["walking"]
    await patch(runner, f"/gear/{old['id']}", default_for=["running"])
    assert (await runner.get(f"/gear/{new['id']}")).json["default_for"] == []


async def test_gear_retires_when_it_has_come_far_enough(runner: Runner) -> None:
    shoes = await gear(runner, default_for=["running"], retire_at_m=1000)
    first = await runner.uploaded(gpx(a_run(600)))
    assert first["gear_id"] == shoes["id"]
    path = f"/gear/{shoes['id']}"
    assert (await runner.get(path)).json["retired"] is True
    later = a_run(600, start=START + timedelta(hours=2))
    assert (await runner.uploaded(gpx(later)))["gear_id"] is None
    assert (await runner.ask("PATCH", path, json={"retired": False})).status == 422
    longer = await patch(runner, path, retire_at_m=5000, retired=False)
    assert longer["retired"] is False
    again = a_run(600, start=START + timedelta(hours=4))
    assert (await runner.uploaded(gpx(again)))["gear_id"] == shoes["id"]


async def test_removed_gear_leaves_its_activities(runner: Runner) -> None:
    shoes = await gear(runner, default_for=["running"])
    run = await runner.uploaded(gpx(a_run(600)))
    assert (await runner.ask("DELETE", f"/gear/{shoes['id']}")).status == 204
    after = await runner.get(f"/activities/{run['id']}")
    assert after.json["gear_id"] is None
    assert after.headers["Etag"] != '"1-json"'
    assert (await runner.ask("DELETE", f"/activities/{run['id']}")).status == 204


async def test_nobody_elses_gear_can_be_used(runner: Runner, other: Runner) -> None:
    theirs = await gear(other)
    run = await runner.uploaded(gpx(a_run(600)))
    told = await runner.ask("PATCH", f"/activities/{run['id']}", json={"gear_id": theirs["id"]})
    assert (told.status, told.json["errors"][0]["field"]) == (422, "gear_id")
    assert (await runner.get(f"/activities/{run['id']}")).json == run
    assert await state(other, theirs) == (0, 0)


async def test_of_changes_at_once_none_is_lost(runner: Runner, shared_track: Track) -> None:
    shoes = await gear(runner, default_for=["running"])
    runs = [gpx(a_run(300, start=START + timedelta(hours=hour))) for hour in range(6)]
    uploaded = await asyncio.gather(*map(runner.uploaded, runs))
    kept, gone = uploaded[:4], uploaded[4:]
    await asyncio.gather(*(runner.ask("DELETE", f"/activities/{run['id']}") for run in gone))
    distance_m, activities = await state(runner, shoes)
    assert (distance_m, activities) == (round(sum(run["distance_m"] for run in kept), 3), 4)
