"""From a new account to statistics and back to nothing, over HTTP and a mailbox, as a user goes."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from tests.support.api import PASSWORD, Api, Mailbox, Person
from tests.support.recordings import Session, a_run, fit, gpx, tcx
from tests.support.running import Running

MARCH, APRIL, MAY = (datetime(2026, month, 14, 7, 30, tzinfo=UTC) for month in (3, 4, 5))


def files() -> dict[str, bytes]:
    """A run of half an hour in each of three formats and months."""
    return {
        "march.gpx": gpx(a_run(1800, start=MARCH, every=5)),
        "april.tcx": tcx([a_run(1800, start=APRIL, every=5)]),
        "may.fit": fit(Session(a_run(1800, start=MAY, every=5))),
    }


def test_a_runner_imports_looks_at_counts_and_deletes_their_runs(person: Person) -> None:
    ids = {}
    for name, content in files().items():
        answer = person.api.upload(name, content)
        assert answer.status == 201, (name, answer.body)
        activity = answer.json
        assert answer.headers["Location"] == f"/api/v1/activities/{activity['id']}"
        assert activity["distance_m"] == pytest.approx(5400, rel=0.01)
        assert activity["elapsed_s"] == pytest.approx(1800, abs=2)
        assert activity["sport"] == "running"
        assert activity["source"]["format"] == name.rpartition(".")[2]
        ids[name] = activity["id"]

    listed = person.api.get("activities").json
    assert [item["id"] for item in listed["items"]] == [ids["may.fit"], ids["april.tcx"], ids["march.gpx"]]
    assert listed["next"] is None

    opened = person.api.get(f"activities/{ids['may.fit']}")
    assert opened.status == 200
    assert opened.json["local_date"] == "2026-05-14"
    again = person.api.ask("GET", f"activities/{ids['may.fit']}", headers={"If-None-Match": opened.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")

    months = person.api.get("stats", by="month").json["items"]
    assert [item["period"] for item in months] == ["2026-03-01", "2026-04-01", "2026-05-01"]
    assert [item["activities"] for item in months] == [1, 1, 1]
    assert months[0]["distance_m"] == pytest.approx(5400, rel=0.01)

    for id_ in ids.values():
        assert person.api.ask("DELETE", f"activities/{id_}").status == 204
        assert person.api.get(f"activities/{id_}").status == 404
    assert person.api.get("activities").json["items"] == []
    assert person.api.get("stats", by="month").json["items"] == []


def test_a_list_is_read_page_by_page_without_a_gap(person: Person) -> None:
    for month in range(1, 6):
        start = datetime(2026, month, 1, 8, tzinfo=UTC)
        assert person.api.upload("run.gpx", gpx(a_run(600, start=start, every=10))).status == 201
    seen, cursor = [], None
    for _ in range(5):
        page = person.api.get("activities", limit=2, **({"cursor": cursor} if cursor else {})).json
        seen += [item["local_date"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"2026-{month:02}-01" for month in (5, 4, 3, 2, 1)]


def test_the_same_run_twice_is_a_duplicate_whatever_its_format(person: Person) -> None:
    run = a_run(900, start=MARCH, every=5)
    first = person.api.upload("run.gpx", gpx(run)).json
    for name, content in (("run.gpx", gpx(run)), ("run.tcx", tcx([run])), ("run.gpx.gz", gzip.compress(gpx(run)))):
        answer = person.api.upload(name, content)
        assert (answer.status, answer.json["existing"]) == (409, {"id": first["id"]}), name
    assert len(person.api.get("activities").json["items"]) == 1


def test_an_upload_may_be_bare_bytes(person: Person) -> None:
    answer = person.api.ask(
        "POST",
        "activities",
        gpx(a_run(600, start=APRIL, every=5)),
        headers={"Content-Type": "application/octet-stream"},
        query={"filename": "bare.gpx"},
    )
    assert (answer.status, answer.json["source"]["name"]) == (201, "bare.gpx")


def test_a_change_of_what_has_changed_meanwhile_is_refused(person: Person) -> None:
    id_ = person.api.upload("run.gpx", gpx(a_run(600, start=MAY, every=5))).json["id"]
    etag = person.api.get(f"activities/{id_}").headers["ETag"]
    changed = person.api.ask("PATCH", f"activities/{id_}", {"title": "Tempo"}, headers={"If-Match": etag})
    assert (changed.status, changed.json["title"]) == (200, "Tempo")
    late = person.api.ask("PATCH", f"activities/{id_}", {"title": "Easy"}, headers={"If-Match": etag})
    assert late.status == 412
    assert person.api.get(f"activities/{id_}").json["title"] == "Tempo"


def test_registering_tells_nobody_who_has_an_account(anybody: Api, person: Person, mailbox: Mailbox) -> None:
    known = anybody.post("accounts", {"email": person.email, "password": PASSWORD, "name": "Somebody"})
    unknown = anybody.post("accounts", {"email": "new@example.com", "password": PASSWORD, "name": "Somebody"})
    assert (known.status, known.body) == (unknown.status, unknown.body)
    assert known.status == 202
    another, _ = mailbox.messages(person.email, at_least=2)
    assert "/activate?token=" not in another["text"]


def test_a_session_is_renewed_and_ended(person: Person) -> None:
    refreshed = Api(person.api.port).post("sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert refreshed.status == 200
    fresh = Api(person.api.port, refreshed.json["access_token"])
    assert fresh.get("accounts/me").json["email"] == person.email
    assert fresh.ask("DELETE", "sessions/current").status == 204
    ended = Api(person.api.port).post("sessions/refresh", {"refresh_token": refreshed.json["refresh_token"]})
    assert ended.status == 401


def test_the_first_page_and_the_documentation_are_served(anybody: Api, it: Running) -> None:
    page = anybody.get("/")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert anybody.get("/api/docs").status == 200
    for service in ("accounts", "activities", "tokendealer"):
        assert anybody.get(f"/api/openapi/{service}.json").json["openapi"].startswith("3.1")
        assert anybody.get(f"/api/health/{service}").status == 200
    for path in ("/__lbheartbeat__", "/__heartbeat__", "/__version__"):
        assert anybody.get(path).status == 200, path
    assert "keys" in anybody.get("/.well-known/jwks.json").json
