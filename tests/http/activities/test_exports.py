"""Activities go with their runner: as GPX, and as a table."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from tests.support.recordings import START, Session, a_run, fit, gpx, without
from tests.support.runners import Runner

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).parents[2] / "support" / "schemas" / "gpx11.xsd")))
CSV = {"Accept": "text/csv"}


async def test_an_activity_is_exported_as_gpx_that_can_be_imported(runner: Runner, other: Runner) -> None:
    before = await runner.uploaded(fit(Session(a_run(1200, climb=0.02))))
    await runner.ask("PATCH", f"/activities/{before['id']}", json={"title": 'Über <den> "Berg" =1+1'})
    told = await runner.get(f"/activities/{before['id']}/export.gpx")
    assert (told.status, told.headers["Content-Type"]) == (200, "application/gpx+xml")
    assert "attachment" in told.headers["Content-Disposition"]
    SCHEMA.assertValid(etree.fromstring(told.body))
    after = await other.uploaded(told.body)
    assert (after["title"], after["sport"], after["started_at"]) == (
        'Über <den> "Berg" =1+1',
        "running",
        before["started_at"],
    )
    assert after["distance_m"] == pytest.approx(before["distance_m"], rel=2e-3)
    assert (await other.get(f"/activities/{before['id']}/export.gpx")).status == 404


async def test_what_has_no_places_has_no_gpx(runner: Runner) -> None:
    indoors = await runner.uploaded(fit(Session(without(a_run(600), "lat", "lon"))))
    told = await runner.get(f"/activities/{indoors['id']}/export.gpx")
    assert (told.status, told.json["detail"]) == (404, "No places were recorded for this activity")


async def test_the_list_is_a_table_of_all_of_them(runner: Runner) -> None:
    manual = {"sport": "walking", "timezone": "Europe/Paris", "distance_m": 5000, "elapsed_s": 3600}
    for number in range(103):  # more than a page
        at = (START + timedelta(hours=2 * number)).isoformat()
        body = {**manual, "started_at": at, "title": f"{number}"}
        assert (await runner.ask("POST", "/activities/manual", json=body)).status == 201
    told = await runner.ask("GET", "/activities", headers=CSV)
    assert (told.status, told.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert told.headers["Cache-Control"] == "private, no-cache"
    rows = list(csv.DictReader(io.StringIO(told.body.decode(), newline="")))
    assert [row["title"] for row in rows] == [str(number) for number in reversed(range(103))]
    listed = (await runner.get("/activities", limit=1)).items[0]
    assert (rows[0]["id"], rows[0]["started_at"], rows[0]["local_date"], float(rows[0]["distance_m"])) == (
        listed["id"],
        listed["started_at"],
        listed["local_date"],
        listed["distance_m"],
    )
    some = await runner.ask("GET", "/activities", params={"q": "10", "sort": "started_at"}, headers=CSV)
    assert [row["title"] for row in csv.DictReader(io.StringIO(some.body.decode()))] == ["10", "100", "101", "102"]


@pytest.mark.parametrize("title", ['=HYPERLINK("http://evil.example")', "+1", "-1", "@SUM(A1)", "\t=1"])
async def test_no_cell_is_a_formula(runner: Runner, title: str) -> None:
    run = await runner.uploaded(gpx(a_run(300)))
    await runner.ask("PATCH", f"/activities/{run['id']}", json={"title": title, "description": f'{title}\nmore, "x"'})
    told = await runner.ask("GET", "/activities", headers=CSV)
    (row,) = csv.DictReader(io.StringIO(told.body.decode(), newline=""))
    assert row["title"] == f"'{title.strip()}"
    assert row["description"] == f'\'{title}\nmore, "x"'
    assert float(row["distance_m"]) == run["distance_m"], "numbers stay numbers"


async def test_an_empty_list_is_a_table_without_rows(runner: Runner) -> None:
    told = await runner.ask("GET", "/activities", headers=CSV)
    assert told.body.decode().startswith("id,sport,title")
    assert told.body.count(b"\r\n") == 1


async def test_what_is_not_offered_is_refused(runner: Runner) -> None:
    assert (await runner.ask("GET", "/activities", headers={"Accept": "text/html"})).status == 406
    assert (await runner.ask("GET", "/stats", params={"by": "day"}, headers=CSV)).status == 406
