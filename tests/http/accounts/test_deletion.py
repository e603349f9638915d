"""Deletion: gone at once, then everywhere, with a receipt, and with nothing left to say who it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.activities import app as activities
from services.chassis.bus.assembly import make_transport
from services.chassis.bus.event import Job
from tests.http.accounts.test_exports import done, download, upload
from tests.support.database import DatabaseServer
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import a_run, gpx
from tests.support.street import PASSWORD, Street, street
from tests.support.takeouts import Takeout
from tests.support.traces import traces
from tests.support.waiting import eventually, eventually_is

KIM = "kim@runnerly.test"
DELETION = "accounts/me/deletion"


@pytest.fixture
async def whole(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Street]:
    """Every service that holds something of people; a deletion looks once more after a second."""
    async with street(database_server, tmp_path, more=[activities.SERVICE], RUNNERLY_DELETION_SWEEP_S="1") as running:
        yield running


async def deleted(town: Street, token: str) -> str:
    """The id of the deletion of who asks."""
    answer = await town.ask("POST", DELETION, {"password": PASSWORD}, token=token)
    assert answer.status == 202, answer.body
    assert answer.headers["Location"] == f"/api/v1/accounts/deletions/{answer.body['id']}"
    return str(answer.body["id"])


async def state(town: Street, deletion_id: str) -> object:
    return (await town.ask("GET", f"accounts/deletions/{deletion_id}")).body["state"]


async def test_gone_at_once(whole: Street) -> None:
    town = whole
    token = await town.active_runner()
    other = (await town.sign_in()).body
    await deleted(town, token)

    for path in ("accounts/me", "sessions"):
        assert (await town.ask("GET", path, token=token)).status == 401
        assert (await town.ask("GET", path, token=other["access_token"])).status == 401
    assert (await town.sign_in()).kind == "invalid-credentials"
    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": other["refresh_token"]})).status == 401
    assert (await town.ask("POST", DELETION, {"password": PASSWORD}, token=token)).status == 401

    async def refused_elsewhere() -> int:
        return (await town.ask("GET", "activities", token=token)).status

    await eventually_is(401, refused_elsewhere, within_s=15)  # its access token is good for five minutes


async def test_everywhere_with_a_receipt_and_without_a_trace(whole: Street) -> None:
    town = whole
    token = await town.active_runner()
    sub = (await town.ask("GET", "accounts/me", token=token)).body["id"]
    await town.ask("PATCH", "accounts/me", {"name": "Kîm Lou"}, token=token)
    run = gpx(a_run(600))
    await upload(town, token, "run.gpx", run)
    keyed = {
        "sport": "running",
        "started_at": "2026-01-01T08:00:00Z",
        "timezone": "UTC",
        "distance_m": 5e3,
        "elapsed_s": 2e3,
    }
    assert (await town.ask("POST", "activities/manual", keyed, token=token, Idempotency_Key="once")).status == 201
    export = await town.ask("POST", "accounts/me/exports", token=token)
    archive = await download(town, (await done(town, token, export.body["id"]))["url"], token)
    assert len(Takeout(archive.body).under("activities")) == 2
    needles = [sub, "Kîm Lou", KIM, run[200:260]]
    databases = [*(service.database for service in town.services), "runnerly_bus"]
    before = await traces(town.mongo, needles, databases)
    assert all(any(repr(needle) in found for found in before) for needle in needles), before

    deletion_id = await deleted(town, token)
    await eventually_is("done", lambda: state(town, deletion_id))
    deletion = (await town.ask("GET", f"accounts/deletions/{deletion_id}")).body
    assert (deletion["waiting_for"], deletion["kept"], deletion["finished_at"] is not None) == ([], [], True)
    await eventually(lambda: "deleted" in str(town.mails_to(KIM)[-1]["Subject"]))
    body = town.mails_to(KIM)[-1].get_body(("plain",))
    assert body
    assert deletion_id in body.get_content()
    for service in town.services:
        assert service.name in body.get_content()

    async def left() -> list[str]:
        return await traces(town.mongo, needles, databases)

    await eventually_is([], left)
    deletions = town.database.collection("deletions")
    await eventually_is(1, lambda: deletions.count_documents({"stage": "done"}))
    [kept] = await deletions.find({}).to_list(None)
    assert kept.keys() == {
        *("_id", "stage", "confirmed", "swept", "kept", "failures"),
        *("requested_at", "told_at", "finished_at", "expires_at"),
    }
    for service in town.services:
        stones = await town.mongo.database(service.database).collection("tombstones").find({}).to_list(None)
        assert len(stones) == 1, service.name


async def test_the_address_is_free_at_once(town: Street) -> None:
    before = await town.active_runner()
    sub = (await town.ask("GET", "accounts/me", token=before)).body["id"]
    await deleted(town, before)
    town.mail.taken.clear()
    token = await town.active_runner()
    me = (await town.ask("GET", "accounts/me", token=token)).body
    assert me["id"] != sub


async def test_who_does_not_know_the_password_deletes_nobody(town: Street) -> None:
    token = await town.active_runner()
    wrong = await town.ask("POST", DELETION, {"password": "not the password"}, token=token)
    assert (wrong.status, [error["field"] for error in wrong.body["errors"]]) == (422, ["password"])
    guesses = [await town.ask("POST", DELETION, {"password": "guess"}, token=token) for _ in range(10)]
    assert guesses[-1].status == 429
    assert (await town.ask("GET", "accounts/me", token=token)).status == 200
    assert (await town.ask("POST", DELETION, {"password": PASSWORD})).status == 401
    assert (await town.ask("GET", "accounts/deletions/unknown")).status == 404


async def test_a_browser_s_cookies_are_taken_away(town: Street) -> None:
    await town.active_runner()
    cookies = (await town.sign_in(mode="cookie")).cookies
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    foreign = await town.ask("POST", DELETION, {"password": PASSWORD}, Cookie=sent, Sec_Fetch_Site="cross-site")
    assert foreign.status == 403
    gone = await town.ask("POST", DELETION, {"password": PASSWORD}, Cookie=sent, Sec_Fetch_Site="same-origin")
    assert gone.status == 202
    assert set(gone.cookies.values()) == {""}
    assert gone.cookies.keys() == cookies.keys()


async def test_of_two_at_once_one_is_it(town: Street) -> None:
    token = await town.active_runner()
    answers = await asyncio.gather(*(town.ask("POST", DELETION, {"password": PASSWORD}, token=token) for _ in range(4)))
    assert min(answer.status for answer in answers) == 202
    assert {answer.status for answer in answers} <= {202, 401, 404}
    assert await town.database.collection("deletions").count_documents({}) == 1


async def test_an_export_under_way_ends_with_its_person(database_server: DatabaseServer, tmp_path: Path) -> None:
    """The export waits for an owner that is not there; the deletion, which waits for it too, has erased it by then."""
    owners = "tokendealer,accounts,mailer,nobody"
    async with street(database_server, tmp_path, RUNNERLY_PEOPLE_OWNERS=owners) as town:
        token = await town.active_runner()
        await town.ask("POST", "accounts/me/exports", token=token)
        pieces, exports = (town.database.collection(name) for name in ("export_pieces", "exports"))
        await eventually_is(3, lambda: pieces.count_documents({}))
        deletion_id = await deleted(town, token)

        async def waiting_for() -> object:
            return (await town.ask("GET", f"accounts/deletions/{deletion_id}")).body["waiting_for"]

        await eventually_is(["nobody"], waiting_for)
        assert (await pieces.count_documents({}), await exports.count_documents({})) == (0, 0)
        assert await state(town, deletion_id) == "running"
        sealed = await town.database.collection("deletions").find({}).to_list(None)
        assert KIM not in str(sealed)


async def test_what_a_late_job_says_of_somebody_who_was_deleted_is_dropped(town: Street) -> None:
    token = await town.active_runner()
    sub = (await town.ask("GET", "accounts/me", token=token)).body["id"]
    deletion_id = await deleted(town, token)
    await eventually_is("done", lambda: state(town, deletion_id))
    logs = RecordedLogs()
    transport = make_transport("", town.mongo, metrics=RecordedMetrics(), log=logs.logger())
    for number in range(2):
        order = {"template": "already-registered", "to": f"{number}{KIM}", "locale": "en", "data": {}, "sub": sub}
        await transport.enqueue(
            Job.of("mailer.send", order | {"sub": None} if number else order, sub=None if number else sub)
        )
    await eventually(lambda: town.mails_to(f"1{KIM}"))
    await eventually_is(
        0, lambda: town.mongo.database("runnerly_bus").collection("messages").count_documents({"sub": sub})
    )
    assert town.mails_to(f"0{KIM}") == []
    logs.close()
