"""Whoever has the link sees a public activity, but nothing of where it begins and ends; nobody else sees anything."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from lxml import etree

from services.activities.domain.geodesy import distances_m
from tests.support.recordings import START, Session, a_run, fit, gpx, without
from tests.support.runners import API, Runner, Told

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN = a_run(1800)  # 5.4 km due north
HOME = (RUN[0].lat, RUN[0].lon)
PARTS = ("", "/streams?points=50000", "/laps", "/splits", "/splits?unit=mi", "/best-efforts", "/export.gpx")


async def as_nobody(runner: Runner, path: str) -> Told:
    async with runner.client.get(f"{runner.url}{path}") as answer:
        return Told(answer.status, dict(answer.headers), await answer.read())


async def published(runner: Runner, content: bytes) -> tuple[str, str]:
    """The id of a public activity, and where it is shared."""
    activity = await runner.uploaded(content)
    told = await runner.ask("PATCH", f"/activities/{activity['id']}", json={"visibility": "public"})
    assert told.json["visibility"] == "public"
    return activity["id"], await link(runner, activity["id"])


async def link(runner: Runner, activity_id: str) -> str:
    told = await runner.get(f"/activities/{activity_id}/share")
    assert told.status == 200, told.body
    return str(told.json["path"])


async def zone(runner: Runner, radius_m: int = 400, **fields: Any) -> dict[str, Any]:
    body = {"name": "Home", "lat": HOME[0], "lon": HOME[1], "radius_m": radius_m, **fields}
    told = await runner.ask("POST", "/privacy-zones", json=body)
    assert told.status == 201, told.body
    made: dict[str, Any] = told.json
    return made


def places(part: str, told: Told) -> list[tuple[float, float]]:
    """Every place that an answer tells of."""
    if part == "/export.gpx":
        points = etree.fromstring(told.body).iter("{http://www.topografix.com/GPX/1/1}trkpt")
        return [(float(point.get("lat") or 0), float(point.get("lon") or 0)) for point in points]
    found: list[tuple[float, float]] = []
    if "series" in told.json:
        found += zip(told.json["series"]["lat"], told.json["series"]["lon"], strict=True)
    if told.json.get("polyline"):
        found += decoded(told.json["polyline"])
    if bounds := told.json.get("bounds"):
        found += [(bounds["south"], bounds["west"]), (bounds["north"], bounds["east"])]
    return found


def decoded(polyline: str) -> list[tuple[float, float]]:
    numbers, value, shift = [], 0, 0
    for character in polyline:
        chunk = ord(character) - 63
        value |= (chunk & 0x1F) << shift
        shift += 5
        if chunk < 0x20:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    steps = np.cumsum(np.array(numbers).reshape(-1, 2), axis=0) / 1e5
    return [(float(lat), float(lon)) for lat, lon in steps]


async def test_only_who_has_the_link_sees_it(runner: Runner, other: Runner) -> None:
    activity = await runner.uploaded(gpx(RUN))
    assert (await runner.get(f"/activities/{activity['id']}/share")).status == 404, "it is private"
    activity_id, path = await published(runner, gpx(a_run(900, start=START + timedelta(days=1))))
    assert re.fullmatch(r"/api/v1/shared/[\w-]{24}", path)
    told = await as_nobody(runner, path)
    assert (told.status, told.json["title"], told.json["partly_hidden"]) == (200, "Morning run", False)
    mine = (await runner.get(f"/activities/{activity_id}")).json
    assert {name: mine[name] for name in told.json if name != "partly_hidden"} == {
        name: value for name, value in told.json.items() if name != "partly_hidden"
    }
    assert (told.headers["X-Robots-Tag"], told.headers["Referrer-Policy"]) == ("noindex", "no-referrer")
    for part in PARTS[1:]:
        assert (await as_nobody(runner, path + part)).status == 200, part
    for part in ("", "/original", "/share", "/export.gpx"):
        assert (await other.get(f"/activities/{activity_id}{part}")).status == 404
    assert (await as_nobody(runner, f"{path}/original")).status == 404
    assert (await as_nobody(runner, f"{path[:-1]}{'a' if path[-1] != 'a' else 'b'}")).status == 404


async def test_a_link_ends_with_what_it_leads_to(runner: Runner) -> None:
    activity_id, path = await published(runner, gpx(RUN))
    await runner.ask("PATCH", f"/activities/{activity_id}", json={"title": "Renamed"})
    assert (await as_nobody(runner, path)).json["title"] == "Renamed"
    assert await link(runner, activity_id) == path, "another change leaves it as it is"
    await runner.ask("PATCH", f"/activities/{activity_id}", json={"visibility": "private"})
    for part in PARTS:
        assert (await as_nobody(runner, path + part)).status == 404
    await runner.ask("PATCH", f"/activities/{activity_id}", json={"visibility": "public"})
    again = await link(runner, activity_id)
    assert again != path
    assert (await as_nobody(runner, path)).status == 404
    await runner.ask("DELETE", f"/activities/{activity_id}")
    assert (await as_nobody(runner, again)).status == 404


async def test_in_no_representation_there_is_anything_of_a_zone(runner: Runner) -> None:
    activity_id, path = await published(runner, fit(Session(RUN, lap_starts=[0, 300, 600])))
    whole = (await as_nobody(runner, path)).json
    made = await zone(runner)
    assert set(made) == {"id", "name", "lat", "lon", "radius_m"}, "where the hidden circle lies is told nobody"
    told = {part: await as_nobody(runner, path + part) for part in PARTS}
    assert {one.status for one in told.values()} == {200}
    found = [place for part in ("", "/streams?points=50000", "/export.gpx") for place in places(part, told[part])]
    assert len(found) > 1000
    lat, lon = np.array(found).T
    assert distances_m(lat, lon, *HOME).min() > 400
    seen = told[""].json
    assert seen["partly_hidden"] is True
    assert whole["distance_m"] - seen["distance_m"] >= 400
    assert whole["started_at"] < seen["started_at"]
    assert seen["elapsed_s"] < whole["elapsed_s"] - 100
    streams = told["/streams?points=50000"].json["series"]
    assert (streams["time"][0], streams["distance"][0]) == (0, 0)
    assert streams["distance"][-1] == pytest.approx(seen["distance_m"], abs=0.02)
    assert streams["time"][-1] == seen["elapsed_s"]
    assert len(told["/laps"].json["items"]) == 1, "laps count from the true start"
    assert sum(one["distance_m"] for one in told["/splits"].json["items"]) == pytest.approx(seen["distance_m"], abs=0.1)
    # what its runner sees stays whole, and so does what others see where there is no zone any more
    mine = await runner.get(f"/activities/{activity_id}")
    assert mine.json["distance_m"] == whole["distance_m"]
    assert (await runner.ask("DELETE", f"/privacy-zones/{made['id']}")).status == 204
    assert (await as_nobody(runner, path)).json == whole


async def test_what_is_all_inside_a_zone_shows_no_number(runner: Runner) -> None:
    _, path = await published(runner, gpx(a_run(60)))
    await zone(runner, 800)
    told = {part: await as_nobody(runner, path + part) for part in PARTS}
    assert {one.status for part, one in told.items() if part != "/export.gpx"} == {200}
    assert told["/export.gpx"].status == 404
    seen = told[""].json
    assert {name for name, value in seen.items() if value is not None} <= {
        "sport", "title", "timezone", "partly_hidden", "description",
    }  # fmt: skip
    assert told["/streams?points=50000"].json == {"points": 0, "series": {"time": []}}
    assert told["/splits"].json == {"items": []}


async def test_what_has_no_places_is_shown_whole(runner: Runner) -> None:
    await zone(runner)
    _, path = await published(runner, fit(Session(without(a_run(600), "lat", "lon"))))
    assert (await as_nobody(runner, path)).json["partly_hidden"] is False


async def test_zones_are_their_runners(runner: Runner, other: Runner) -> None:
    made = await zone(runner)
    listed = await runner.get("/privacy-zones")
    assert listed.items == [made]
    assert (await other.get("/privacy-zones")).items == []
    assert (await other.ask("DELETE", f"/privacy-zones/{made['id']}")).status == 404
    key = {"Idempotency-Key": "z"}
    body = {"name": "Work", "lat": 0, "lon": 0}
    twice = [await runner.ask("POST", "/privacy-zones", json=body, headers=key) for _ in range(2)]
    assert twice[0].json == twice[1].json
    assert len((await runner.get("/privacy-zones")).items) == 2
    for number in range(18):
        await zone(runner, name=str(number))
    full = await runner.ask("POST", "/privacy-zones", json=body)
    assert full.status == 422


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"radius_m": 10}, "radius_m"),
        ({"lat": 91}, "lat"),
        ({"lon": -181}, "lon"),
        ({"name": " "}, "name"),
        ({"x": 1}, "x"),
    ],
)
async def test_what_is_no_zone_is_refused_by_its_field(runner: Runner, fields: dict[str, Any], field: str) -> None:
    body = {"name": "Home", "lat": HOME[0], "lon": HOME[1], **fields}
    told = await runner.ask(
        "POST", "/privacy-zones", data=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert (told.status, told.json["errors"][0]["field"]) == (422, field)


async def test_an_activity_by_hand_can_be_public_from_the_start(runner: Runner) -> None:
    body = {
        "sport": "running",
        "started_at": "2026-03-01T10:00:00Z",
        "timezone": "UTC",
        "distance_m": 5000,
        "elapsed_s": 1500,
        "visibility": "public",
    }
    added = await runner.ask("POST", "/activities/manual", json=body)
    told = await as_nobody(runner, await link(runner, added.json["id"]))
    assert (told.status, told.json["distance_m"]) == (200, 5000)
    assert API in await link(runner, added.json["id"])
