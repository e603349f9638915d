"""Lists: in order, by pages, and only what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.recordings import Session, a_run, fit
from tests.support.runners import Runner

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def filled(runner: Runner, *given: dict[str, Any]) -> list[str]:
    """Add these by hand; their titles."""
    for number, one in enumerate(given):
        start = datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(days=number)
        body = {
            "sport": "running",
            "started_at": start.isoformat(),
            "timezone": "Europe/Paris",
            "distance_m": 5000,
            "elapsed_s": 1500,
            "title": f"run {number}",
        }
        told = await runner.ask("POST", "/activities/manual", json=body | one)
        assert told.status == 201, told.body
    return [f"run {number}" for number in range(len(given))]


async def titles(runner: Runner, **query: object) -> list[str]:
    told = await runner.get("/activities", **query)
    assert told.status == 200, told.body
    return [item["title"] for item in told.items]


async def paged(runner: Runner, **query: object) -> list[str]:
    """The titles of all pages."""
    found: list[str] = []
    cursor: dict[str, object] = {}
    for _ in range(50):
        told = await runner.get("/activities", **query, **cursor)
        assert told.status == 200, told.body
        found += [item["title"] for item in told.items]
        if told.json["next"] is None:
            return found
        cursor = {"cursor": told.json["next"]}
    raise AssertionError("this list has no end")


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-started_at", [4, 3, 2, 1, 0]),
        ("started_at", [0, 1, 2, 3, 4]),
        ("-distance_m", [2, 4, 0, 1, 3]),
        ("-elapsed_s", [1, 3, 0, 4, 2]),
    ],
)
async def test_a_list_is_in_order_by_pages_of_any_length(runner: Runner, sort: str, order: list[int]) -> None:
    distances, times = [5000, 4000, 9000, 3000, 5000], [1500, 3000, 100, 2000, 1500]
    names = await filled(
        runner,
        *({"distance_m": metres, "elapsed_s": seconds} for metres, seconds in zip(distances, times, strict=True)),
    )
    expected = [names[row] for row in order]
    whole = await titles(runner, sort=sort)
    # of equal values the ids decide
    assert whole in (expected, [names[{0: 4, 4: 0}.get(row, row)] for row in order])
    for limit in (1, 2, 3, 5):
        assert await paged(runner, sort=sort, limit=limit) == whole


async def test_the_list_says_what_was_not_found_with_no_items(runner: Runner, other: Runner) -> None:
    await filled(other, {})
    told = await runner.get("/activities")
    assert told.json == {"items": [], "next": None}


async def test_local_dates_bound_the_list_and_are_in_it(runner: Runner) -> None:
    await filled(
        runner,
        {"started_at": "2026-05-01T23:30:00+09:00", "timezone": "Asia/Tokyo", "title": "late in Tokyo"},
        {"started_at": "2026-05-01T23:30:00-10:00", "timezone": "Pacific/Honolulu", "title": "late in Honolulu"},
        {"started_at": "2026-05-02T00:30:00+14:00", "timezone": "Pacific/Kiritimati", "title": "early on Kiritimati"},
    )
    assert set(await titles(runner, **{"from": "2026-05-01", "to": "2026-05-01"})) == {
        "late in Tokyo",
        "late in Honolulu",
    }
    assert await titles(runner, **{"from": "2026-05-02"}) == ["early on Kiritimati"]
    assert len(await titles(runner, to="2026-05-02")) == 3
    assert await titles(runner, **{"from": "2026-05-03", "to": "2026-05-01"}) == []
    assert len(await titles(runner, **{"from": "0001-01-01", "to": "9999-12-31"})) == 3


async def test_sport_and_words_narrow_the_list(runner: Runner) -> None:
    await filled(
        runner,
        {"title": "Tempo (hard)"},
        {"title": "Sunday tempo", "sport": "walking"},
        {"title": "Ärger im Park"},
        {"title": "100% .* regex"},
    )
    assert await titles(runner, sport="walking") == ["Sunday tempo"]
    assert set(await titles(runner, q="TEMPO")) == {"Tempo (hard)", "Sunday tempo"}
    assert await titles(runner, q="(hard)") == ["Tempo (hard)"]
    assert await titles(runner, q=".*") == ["100% .* regex"]
    assert await titles(runner, q="ärger") == ["Ärger im Park"]
    assert await titles(runner, q="tempo", sport="running") == ["Tempo (hard)"]
    assert await paged(runner, limit=1, q="tempo") == ["Sunday tempo", "Tempo (hard)"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"sort": "title"}, "sort"),
        ({"sport": "curling"}, "sport"),
        ({"from": "yesterday"}, "from"),
        ({"q": "x" * 101}, "q"),
        ({"page": 2}, "page"),
        ({"cursor": "made-up"}, "cursor"),
    ],
)
async def test_a_wrong_parameter_is_named(runner: Runner, query: dict[str, object], field: str) -> None:
    told = await runner.get("/activities", **query)
    assert (told.status, told.json["errors"][0]["field"]) == (422, field)


async def test_a_cursor_belongs_to_its_list_and_its_runner(runner: Runner, other: Runner) -> None:
    await filled(runner, {}, {})
    cursor = (await runner.get("/activities", limit=1)).json["next"]
    assert (await runner.get("/activities", limit=1, cursor=cursor)).status == 200
    assert (await runner.get("/activities", limit=1, cursor=cursor, sort="started_at")).status == 422
    assert (await other.get("/activities", limit=1, cursor=cursor)).status == 422


async def test_a_list_that_did_not_change_is_not_sent_again(runner: Runner) -> None:
    await filled(runner, {})
    tag = (await runner.get("/activities")).headers["Etag"]
    assert (await runner.ask("GET", "/activities", headers={"If-None-Match": tag})).status == 304


async def test_what_is_anothers_is_not_there(runner: Runner, other: Runner) -> None:
    theirs = await other.uploaded(fit(Session(a_run(600))))
    path = f"/activities/{theirs['id']}"
    for part in ("", "/streams", "/laps", "/splits", "/best-efforts", "/original"):
        assert (await runner.get(path + part)).status == 404
    assert (await runner.ask("PATCH", path, json={"title": "mine"})).status == 404
    assert (await runner.ask("DELETE", path)).status == 404
    assert (await other.get(path)).json == theirs


async def test_null_is_as_good_as_left_out_where_something_is_added(runner: Runner) -> None:
    body = {
        "sport": "running",
        "started_at": "2026-03-01T07:00:00Z",
        "timezone": "Europe/Paris",
        "distance_m": 5000,
        "elapsed_s": 1500,
        "title": None,
        "visibility": None,
    }
    told = await runner.ask("POST", "/activities/manual", json=body)
    assert (told.status, told.json["title"], told.json["visibility"]) == (201, "Morning run", "private")
    shoes = {"kind": "shoes", "name": "Blue", "retire_at_m": None, "retired": None, "default_for": None}
    told = await runner.ask("POST", "/gear", json=shoes)
    assert (told.status, told.json["retired"], told.json["default_for"]) == (201, False, [])
