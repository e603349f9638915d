"""An import that is interrupted, taken over or erased in the middle: each file counts once, and nothing comes twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.activities.store.archives import Archives
from services.activities.store.imports import ImportStore
from services.chassis.bus.outbox import Outbox
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity
from tests.http.activities.test_imports import a_file, all_of, ended, left, send
from tests.support.archives import zipped
from tests.support.database import DatabaseServer
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.runners import Runner, Track
from tests.support.track_process import track_process

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


async def test_it_goes_on_after_a_kill(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with track_process(database_server, tmp_path) as process:
        runner = await process.runner("kim")
        archive = zipped({f"{number}.gpx": a_file(number) for number in range(50)})
        import_id = (await send(runner, archive)).json["id"]
        await until_it_has_begun(runner, import_id)
        process.kill()
        await process.start()
        before = await added(runner, import_id)
        assert before < 50
        end = await ended(runner, import_id)
        assert (end["state"], end["done"], end["added"], end["duplicates"]) == ("done", 50, 50, 0)
        assert len(await all_of(runner)) == 50
        originals = process.database.collection("originals.files")
        assert await originals.count_documents({}) <= 51, "at most one more, which is swept"
