"""Exports: all that every service holds of somebody, in one archive, for that person alone."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.accounts.store.export_files import ExportFiles
from services.accounts.store.exports import Exports
from services.chassis.bus.outbox import Outbox
from tests.support.database import DatabaseServer
from tests.support.recordings import Session, a_run, fit, gpx
from tests.support.street import Street, street
from tests.support.takeouts import Takeout
from tests.support.waiting import eventually, eventually_is

EXPORTS = "accounts/me/exports"


async def finished(town: Street, token: str) -> dict[str, Any]:
    """A finished export of who asks."""
    asked = await town.ask("POST", EXPORTS, token=token)
    assert asked.status == 202, asked.body
    assert asked.headers["Location"] == f"/api/v1/{EXPORTS}/{asked.body['id']}"
    return await done(town, token, asked.body["id"])


async def done(town: Street, token: str, export_id: str) -> dict[str, Any]:
    """An export, once it is done."""

    async def state() -> object:
        return (await town.ask("GET", f"{EXPORTS}/{export_id}", token=token)).body["state"]

    await eventually_is("done", state)
    return (await town.ask("GET", f"{EXPORTS}/{export_id}", token=token)).body


@dataclass(frozen=True)
class Downloaded:
    """The answer to a download."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def download(town: Street, url: str, token: str, method: str = "GET", **headers: str) -> Downloaded:
    """Download something."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"Authorization": f"Bearer {token}"}
    async with town.http.request(method, f"http://127.0.0.1:{town.settings.port}{url}", headers=sent) as answer:
        return Downloaded(answer.status, answer.headers, await answer.read())


async def upload(town: Street, token: str, name: str, content: bytes) -> dict[str, Any]:
    """The activity that a file became."""
    url = f"http://127.0.0.1:{town.settings.port}/api/v1/activities?filename={name}"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    async with town.http.post(url, data=content, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        activity: dict[str, Any] = await answer.json()
        return activity


async def test_a_person_takes_out_all_there_is(whole_town: Street) -> None:
    town = whole_town
    token = await town.active_runner()
    again = (await town.sign_in()).body
    files = {
        "run.gpx": gpx(a_run(600)),
        "ride.fit": fit(Session(a_run(900))),
        "z.gpx.gz": gzip.compress(gpx(a_run(1200))),
    }
    uploaded = {name: await upload(town, token, name, content) for name, content in files.items()}
    edited = uploaded["run.gpx"]["id"]
    edits = {"title": "Läufe", "description": "in the rain", "visibility": "public", "perceived_exertion": 7}
    assert (await town.ask("PATCH", f"activities/{edited}", edits, token=token)).status == 200
    by_hand = {
        "sport": "hiking",
        "started_at": "2026-02-01T08:00:00Z",
        "timezone": "UTC",
        "distance_m": 9e3,
        "elapsed_s": 9e3,
    }
    assert (await town.ask("POST", "activities/manual", by_hand, token=token)).status == 201
    shoes = await town.ask("POST", "gear", {"kind": "shoes", "name": "Swift", "default_for": "running"}, token=token)

    export = await finished(town, token)
    answer = await download(town, export["url"], token)
    takeout = Takeout(answer.body)

    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="runnerly-')
    assert int(answer.headers["Content-Length"]) == export["size_bytes"]
    assert takeout.json("account.json")["email"] == "kim@runnerly.test"
    assert set(takeout.under("originals").values()) == set(files.values())
    taken = {path: takeout.json(path) for path in takeout.under("activities")}
    assert len(taken) == 4
    assert {name: taken[f"activities/{edited}.json"][name] for name in edits} == edits
    for name, content in files.items():
        original = taken[f"activities/{uploaded[name]['id']}.json"]["original"]
        assert takeout.files[original] == content
        assert original.endswith(".gz") is name.endswith(".gz")
    assert [one["original"] for one in taken.values() if one["source"]["kind"] == "manual"] == [None]
    assert takeout.json(f"gear/{shoes.body['id']}.json")["name"] == "Swift"
    assert len(takeout.under("sign-ins")) == 2
    assert {takeout.json(path)["template"] for path in takeout.under("mails")} == {"activate"}
    everything = b"\n".join(takeout.files.values())
    for secret in (token, again["refresh_token"], again["refresh_token"].split(".")[-1], "$argon2id$"):
        assert secret.encode() not in everything, secret


async def test_a_mail_says_where_it_is(town: Street) -> None:
    export = await finished(town, await town.active_runner())
    await eventually(lambda: len(town.mails_to("kim@runnerly.test")) == 2)
    body = town.mails_to("kim@runnerly.test")[-1].get_body(("plain",))
    assert body
    assert f"{town.settings.url}{export['url']}" in body.get_content()
    assert "7 days" in body.get_content()


async def test_nobody_else_sees_it(town: Street) -> None:
    token, stranger = await town.active_runner(), await town.active_runner("eve@runnerly.test")
    export = await finished(town, token)
    for path in (f"{EXPORTS}/{export['id']}", f"{EXPORTS}/{export['id']}/archive"):
        assert (await town.ask("GET", path, token=stranger)).status == 404
        assert (await town.ask("GET", path)).status == 401
    assert (await town.ask("GET", f"{EXPORTS}/unknown", token=token)).status == 404


async def test_a_download_that_broke_off_goes_on(town: Street) -> None:
    token = await town.active_runner()
    url = (await finished(town, token))["url"]
    answer = await download(town, url, token)
    whole, tag = answer.body, answer.headers["Etag"]
    assert answer.headers["Accept-Ranges"] == "bytes"
    for asked, expected in (("bytes=0-99", whole[:100]), ("bytes=100-", whole[100:]), ("bytes=-10", whole[-10:])):
        part = await download(town, url, token, Range=asked, If_Range=tag)
        assert (part.status, part.body) == (206, expected)
        start = len(whole) - 10 if asked == "bytes=-10" else int(asked[6:].split("-")[0])
        assert part.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    for headers in ({"Range": "bytes=0-9", "If_Range": '"another"'}, {"Range": "bytes=5-2"}, {"Range": "lines=1-2"}):
        all_of_it = await download(town, url, token, **headers)
        assert (all_of_it.status, all_of_it.body) == (200, whole)
    behind = await download(town, url, token, Range=f"bytes={len(whole)}-")
    assert (behind.status, behind.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    head = await download(town, url, token, method="HEAD")
    assert (head.status, int(head.headers["Content-Length"]), head.body) == (200, len(whole), b"")


async def test_one_at_a_time_and_a_key_is_honoured(database_server: DatabaseServer, tmp_path: Path) -> None:
    """With an owner that is not there, an export stays under way."""
    async with street(database_server, tmp_path, RUNNERLY_PEOPLE_OWNERS="accounts,nobody") as town:
        token = await town.active_runner()
        asked = await asyncio.gather(*(town.ask("POST", EXPORTS, token=token) for _ in range(5)))
        assert {answer.status for answer in asked} == {202}
        assert len({answer.body["id"] for answer in asked}) == 1
        keyed = [await town.ask("POST", EXPORTS, token=token, Idempotency_Key="k") for _ in range(2)]
        assert keyed[0].body == keyed[1].body == asked[0].body
        assert keyed[1].headers["Idempotency-Replayed"] == "true"
        export = (await town.ask("GET", f"{EXPORTS}/{asked[0].body['id']}", token=token)).body
        assert (export["state"] in {"waiting", "running"}, export["url"]) == (True, None)
        assert (await town.ask("GET", f"{EXPORTS}/{export['id']}/archive", token=token)).status == 404


async def test_the_next_one_replaces_the_last_and_a_day_has_a_few(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with street(database_server, tmp_path, RUNNERLY_EXPORTS_A_DAY="2") as town:
        token = await town.active_runner()
        first, second = await finished(town, token), await finished(town, token)
        assert (await town.ask("GET", f"{EXPORTS}/{first['id']}", token=token)).status == 404
        assert (await town.ask("GET", f"{EXPORTS}/{second['id']}", token=token)).status == 200
        refused = await town.ask("POST", EXPORTS, token=token)
        assert (refused.status, refused.kind) == (429, "too-many-exports")
        assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600


async def test_only_the_archive_stays_and_it_goes_in_time(town: Street) -> None:
    token = await town.active_runner()
    export = await finished(town, token)
    exports, pieces, places = (town.database.collection(f"export{name}") for name in ("s", "_pieces", "_places"))
    await eventually_is(1, lambda: pieces.count_documents({}))
    await exports.update_one({"_id": export["id"]}, {"$set": {"expires_at": datetime.now(UTC)}})
    for path in ("", "/archive"):
        assert (await town.ask("GET", f"{EXPORTS}/{export['id']}{path}", token=token)).status == 404

    store, later = store_of(town), datetime.now(UTC) + timedelta(hours=2)
    assert await store.sweep(later) == 3, "the parts, whose places are known for an hour"
    assert await pieces.count_documents({}) == 1
    await exports.delete_many({})  # as the database does it when the time has come
    assert await store.sweep(later) == 1
    assert (await pieces.count_documents({}), await places.count_documents({})) == (0, 0)


async def test_what_a_killed_process_had_half_written_is_swept(town: Street) -> None:
    store, pieces = store_of(town), town.database.collection("export_pieces")
    killed = store.files.writing("of-nobody")
    file = await killed.__aenter__()
    await file.write(b"x" * 3_000_000)
    assert await pieces.count_documents({}) == 2
    assert await store.sweep(datetime.now(UTC)) == 0, "somebody may be writing it"
    assert await store.sweep(datetime.now(UTC) + timedelta(hours=2)) == 1
    assert await pieces.count_documents({}) == 0


async def test_a_large_file_is_read_from_any_place_to_any_other(town: Street) -> None:
    content = os.urandom(2 * 1024 * 1024 + 5)
    files = store_of(town).files
    async with files.writing("of-nobody") as file:
        for start in range(0, len(content), 700_000):
            await file.write(content[start : start + 700_000])
        stored = await file.close()
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    for start, end in ((0, len(content)), (1024 * 1024 - 1, 1024 * 1024 + 1), (5, 6), (len(content) - 1, len(content))):
        assert b"".join([piece async for piece in files.read(stored, start, end)]) == content[start:end]


def store_of(town: Street) -> Exports:
    """What accounts keeps exports in."""
    return Exports(town.database, Outbox(town.database), ExportFiles(town.database))
