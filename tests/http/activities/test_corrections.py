"""Correcting and removing, of the version that was meant."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.recordings import Session, a_run, fit, gpx
from tests.support.runners import Runner

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN = fit(Session(a_run(600)))


async def test_what_is_corrected_changes_and_the_rest_stays(runner: Runner) -> None:
    before = await runner.uploaded(RUN)
    path = f"/activities/{before['id']}"
    changes = {
        "title": "  Around the   lake ",
        "description": "windy",
        "sport": "hiking",
        "visibility": "public",
        "perceived_exertion": 7,
    }
    told = await runner.ask("PATCH", path, json=changes)
    assert told.status == 200
    assert told.headers["Etag"] == '"2-json"'
    updated = told.json["updated_at"]
    assert updated > before["updated_at"]
    assert told.json == before | changes | {"title": "Around the lake", "updated_at": updated}
    assert (await runner.get(path)).json == told.json
    cleared = await runner.ask("PATCH", path, json={"description": None, "perceived_exertion": None})
    assert (cleared.json["description"], cleared.json["perceived_exertion"]) == (None, None)


async def test_a_correction_that_changes_nothing_makes_no_version(runner: Runner) -> None:
    before = await runner.uploaded(RUN)
    path = f"/activities/{before['id']}"
    for nothing in ({}, {"title": before["title"]}):
        told = await runner.ask("PATCH", path, json=nothing)
        assert (told.status, told.json, told.headers["Etag"]) == (200, before, '"1-json"')


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": " "}, "title"),
        ({"title": None}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"sport": "curling"}, "sport"),
        ({"perceived_exertion": 11}, "perceived_exertion"),
        ({"distance_m": 1}, "distance_m"),
        ({"visibility": "friends"}, "visibility"),
    ],
)
async def test_a_wrong_correction_is_refused_by_its_field(
    runner: Runner, changes: dict[str, object], field: str
) -> None:
    activity = await runner.uploaded(RUN)
    told = await runner.ask("PATCH", f"/activities/{activity['id']}", json=changes)
    assert (told.status, told.json["errors"][0]["field"]) == (422, field)


async def test_a_stale_version_changes_and_removes_nothing(runner: Runner) -> None:
    activity = await runner.uploaded(RUN)
    path = f"/activities/{activity['id']}"
    first = await runner.ask("PATCH", path, json={"title": "one"}, headers={"If-Match": '"1-json"'})
    assert first.status == 200
    second = await runner.ask("PATCH", path, json={"title": "two"}, headers={"If-Match": '"1-json"'})
    assert second.status == 412
    assert (await runner.ask("DELETE", path, headers={"If-Match": 'W/"1-json"'})).status == 412
    assert (await runner.get(path)).json["title"] == "one"
    assert (await runner.ask("DELETE", path, headers={"If-Match": 'W/"2-msgpack"'})).status == 204


async def test_of_corrections_of_one_version_at_once_one_holds(runner: Runner) -> None:
    activity = await runner.uploaded(RUN)
    path = f"/activities/{activity['id']}"
    told = await asyncio.gather(
        *(runner.ask("PATCH", path, json={"title": f"title {n}"}, headers={"If-Match": '"1-json"'}) for n in range(5))
    )
    assert sorted(one.status for one in told) == [200, 412, 412, 412, 412]


async def test_an_unchanged_activity_is_not_sent_again(runner: Runner) -> None:
    activity = await runner.uploaded(RUN)
    path = f"/activities/{activity['id']}"
    assert (await runner.ask("GET", path, headers={"If-None-Match": '"1-json"'})).status == 304


async def test_what_is_removed_is_gone_with_all_its_parts(runner: Runner) -> None:
    activity = await runner.uploaded(RUN)
    path = f"/activities/{activity['id']}"
    assert (await runner.ask("DELETE", path)).status == 204
    for part in ("", "/streams", "/laps", "/splits", "/best-efforts", "/original"):
        assert (await runner.get(path + part)).status == 404
    assert (await runner.ask("DELETE", path)).status == 404
    assert (await runner.get("/activities")).items == []
    assert (await runner.get("/stats", by="year")).items == []


async def test_a_corrected_sport_means_other_numbers_of_the_same_file(runner: Runner) -> None:
    ride = await runner.uploaded(gpx(a_run(600), kind="cycling"))
    path = f"/activities/{ride['id']}"
    run = (await runner.ask("PATCH", path, json={"sport": "running", "title": "Mine"})).json
    assert (ride["average_cadence_spm"], run["average_cadence_spm"]) == (85, 170)
    assert ride["grade_adjusted_speed_mps"] is None
    assert run["grade_adjusted_speed_mps"] is not None
    assert set((await runner.get(f"{path}/streams")).json["series"]["cadence"]) == {170}
    again = (await runner.ask("PATCH", path, json={"sport": "cycling"})).json
    changed = {"title", "updated_at"}
    assert {name: again[name] for name in ride.keys() - changed} == {name: ride[name] for name in ride.keys() - changed}
    assert again["title"] == "Mine"
