"""An import that is interrupted, taken over or erased in the middle: each file counts once, and nothing comes twice."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.activities.app import SERVICE
from services.activities.store.archives import Archives
from services.activities.store.imports import ImportStore
from services.chassis.bus import mongo as bus
from services.chassis.bus.outbox import Outbox
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Mongo
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from services.tokendealer.app import SERVICE as TOKENDEALER
from services.tokendealer.handlers.families import SignInTokens
from tests.http.activities.test_imports import a_file, all_of, ended, left, send
from tests.support.archives import zipped
from tests.support.database import DatabaseServer
from tests.support.processes import Child, accepts, free_port
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.runners import READ, WRITE, Runner, Track
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def added(runner: Runner, import_id: str) -> int:
    return int((await runner.get(f"/imports/{import_id}")).json["added"])


async def until_it_has_begun(runner: Runner, import_id: str) -> None:
    async with asyncio.timeout(60):
        while await added(runner, import_id) < 2:
            await asyncio.sleep(0.02)


async def test_whoever_takes_over_goes_on_where_the_other_was(runner: Runner, shared_track: Track) -> None:
    database = shared_track.mongo.database("runnerly_activities")
    store = ImportStore(database, Archives(database), Outbox(database))
    archive = zipped({f"{number}.gpx": a_file(number) for number in range(30)})
    import_id = (await send(runner, archive)).json["id"]
    await until_it_has_begun(runner, import_id)
    for _ in range(3):  # as when a queue delivers a job while it is worked on
        await store.wake(import_id, runner.sub, datetime.now(UTC))
        await asyncio.sleep(0.1)
    end = await ended(runner, import_id)
    assert (end["state"], end["done"], end["added"], end["duplicates"]) == ("done", 30, 30, 0)
    assert len(await all_of(runner)) == 30


async def test_who_is_erased_in_the_middle_leaves_nothing(runner: Runner, shared_track: Track) -> None:
    archive = zipped({f"{number}.gpx": a_file(number) for number in range(60)})
    import_id = (await send(runner, archive)).json["id"]
    await until_it_has_begun(runner, import_id)
    settings, logs = shared_track.settings, RecordedLogs()
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    token = await Identity.of("accounts", settings, http).token("activities")
    url = f"{settings.peer('activities')}/internal/v1/people/{runner.sub}"
    async with shared_track.client.delete(url, headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status == 200
    await http.close()
    logs.close()
    await asyncio.sleep(1)  # whoever worked on it would have added more by now
    kept = await left(shared_track, runner)
    assert (kept["archives.files"], kept["unclaimed_archives"]) == ([], [])
    database = shared_track.mongo.database("runnerly_activities")
    for name in await database.collection_names():
        documents = await database.collection(name).find({}).to_list(None)
        assert [one for one in documents if runner.sub in str(one)] == [], name


class Process:
    """Activities and tokendealer in a process that can be killed."""

    def __init__(self, database_uri: str, home: Path) -> None:
        self.settings = ProcessSettings(home=home, port=free_port(), internal_port=free_port())
        self._environ = {
            "RUNNERLY_HOME": str(home),
            "RUNNERLY_PORT": str(self.settings.port),
            "RUNNERLY_INTERNAL_PORT": str(self.settings.internal_port),
            "MONGODB_URI": database_uri,
        }
        self._child: Child | None = None

    async def start(self) -> None:
        command = (sys.executable, "-m", "services", "serve", "tokendealer", "activities")
        child = self._child = Child(command, log=self.settings.home / "log", env=self._environ)
        await eventually(lambda: not child.alive or accepts(self.settings.port), within_s=40)
        assert child.alive, child.log.read_text()

    def kill(self) -> None:
        assert self._child
        self._child.kill()


async def test_it_goes_on_after_a_kill(database_server: DatabaseServer, tmp_path: Path) -> None:
    mongo, logs = Mongo(database_server.uri), RecordedLogs()
    for name in (SERVICE.database, TOKENDEALER.database, bus.DATABASE):
        await mongo.drop(name)
    process = Process(database_server.uri, tmp_path)
    await bootstrap(process.settings, mongo, ("tokendealer", "accounts", "activities"))
    await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
    for service in (SERVICE, TOKENDEALER):
        await mongo.database(service.database).apply(service.all_collections, service.migrations)
    await process.start()
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    peer = Peer.of("tokendealer", process.settings, http, Identity.of("accounts", process.settings, http))
    order: dict[str, Any] = {"sub": "kim", "client": "runnerly", "scopes": (READ, WRITE), "label": "a test"}
    tokens = await peer.post("/internal/v1/tokens", json=order, type=SignInTokens)
    async with aiohttp.ClientSession() as client:
        runner = Runner(process.settings.url, client, tokens.access_token, "kim")
        archive = zipped({f"{number}.gpx": a_file(number) for number in range(50)})
        import_id = (await send(runner, archive)).json["id"]
        await until_it_has_begun(runner, import_id)
        process.kill()
        await process.start()
        before = await added(runner, import_id)
        assert before < 50
        end = await ended(runner, import_id, within_s=75)
        assert (end["state"], end["done"], end["added"], end["duplicates"]) == ("done", 50, 50, 0)
        assert len(await all_of(runner)) == 50
        originals = mongo.database(SERVICE.database).collection("originals.files")
        assert await originals.count_documents({}) <= 51, "at most one more, which is swept"
    process.kill()
    await http.close()
    logs.close()
    mongo.close()
