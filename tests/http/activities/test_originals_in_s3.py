"""Files as they were uploaded can be in a bucket: who uses the API notices nothing, and nothing of who leaves stays."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from services.activities.app import SERVICE
from services.activities.store.s3 import folder_of
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity
from services.chassis.settings import WrongSetting
from tests.support.database import DatabaseServer
from tests.support.process import process
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import Session, a_run, fit, gpx
from tests.support.runners import Runner, Track, track
from tests.support.s3 import S3Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> S3Server:
    return S3Server(tmp_path_factory.mktemp("s3-of-track"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s3_track(
    database_server: DatabaseServer, store: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Track]:
    store.start()
    async with track(database_server, tmp_path_factory.mktemp("track-on-s3"), **store.environ) as made:
        yield made
    store.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def ann(s3_track: Track) -> Runner:
    return await s3_track.runner()


async def objects(store: S3Server) -> int:
    return len(await store.location().store().list().collect_async())


async def owner_asked(track: Track, method: str, runner: Runner) -> tuple[int, bytes]:
    """What the service answers accounts about somebody."""
    logs = RecordedLogs()
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    token = await Identity.of("accounts", track.settings, http).token("activities")
    url = f"{track.settings.peer('activities')}/internal/v1/people/{runner.sub}"
    async with track.client.request(method, url, headers={"Authorization": f"Bearer {token}"}) as answer:
        told = answer.status, await answer.read()
    await http.close()
    logs.close()
    return told


async def gridfs(track: Track) -> int:
    return await track.mongo.database(SERVICE.database).collection("originals.files").count_documents({})


async def test_a_file_comes_back_byte_for_byte_and_leaves_with_its_runner(
    s3_track: Track, store: S3Server, ann: Runner
) -> None:
    ben = await s3_track.runner()
    run, ride = gpx(a_run(600)), fit(Session(a_run(900)))
    first, second = await ann.uploaded(run), await ann.uploaded(ride)
    his = await ben.uploaded(run)
    assert (await objects(store), await gridfs(s3_track)) == (3, 0)
    assert (await ann.get(f"/activities/{first['id']}/original")).body == run
    assert (await ann.get(f"/activities/{second['id']}/original")).body == ride

    _, archive = await owner_asked(s3_track, "GET", ann)
    with tarfile.open(fileobj=io.BytesIO(archive)) as taken:
        contents = [taken.extractfile(one).read() for one in taken if one.name.startswith("originals/")]  # type: ignore[union-attr]
    assert sorted(contents) == sorted([run, ride])
    status, _ = await owner_asked(s3_track, "DELETE", ann)
    assert (status, await objects(store)) == (200, 1)
    assert (await ben.get(f"/activities/{his['id']}/original")).body == run


async def test_a_file_that_is_lost_loses_no_activity(s3_track: Track, store: S3Server, ann: Runner) -> None:
    activity = await ann.uploaded(gpx(a_run(620)))
    bucket = store.location().store()
    await bucket.delete_async([one["path"] for one in await bucket.list(folder_of(ann.sub)).collect_async()])
    assert (await ann.get(f"/activities/{activity['id']}/original")).status == 404
    _, archive = await owner_asked(s3_track, "GET", ann)
    with tarfile.open(fileobj=io.BytesIO(archive)) as taken:
        told = taken.extractfile(f"activities/{activity['id']}.json")
        assert told is not None
        assert msgspec.json.decode(told.read())["original"] is None


async def test_a_store_that_is_away_loses_nothing_and_holds_up_nothing_else(
    s3_track: Track, store: S3Server, ann: Runner
) -> None:
    run = gpx(a_run(700))
    kept = await ann.uploaded(gpx(a_run(800)))
    store.kill()
    refused = await ann.upload(run, **{"Idempotency-Key": "once"})
    assert (refused.status, "Retry-After" in refused.headers) == (503, True)
    assert (await ann.get(f"/activities/{kept['id']}/original")).status == 503
    assert [one["id"] for one in (await ann.get("/activities")).items] == [kept["id"]]
    leaver = await s3_track.runner()
    assert (await owner_asked(s3_track, "DELETE", leaver))[0] == 503, "nobody is gone before everything is"
    async with s3_track.client.get(f"{s3_track.settings.url}/api/health/activities") as answer:
        assert (await answer.json())["checks"]["originals"] == "BucketAway"
    store.start()
    assert (await owner_asked(s3_track, "DELETE", leaver))[0] == 200
    told = await ann.upload(run, **{"Idempotency-Key": "once"})
    assert told.status == 201, told.body
    again = told.json
    assert (await ann.get(f"/activities/{again['id']}/original")).body == run
    async with s3_track.client.get(f"{s3_track.settings.url}/api/health/activities") as answer:
        assert (await answer.json())["checks"]["originals"] == "ok"


async def test_a_bucket_that_is_not_configured_any_more_stops_the_start(
    s3_track: Track, database_server: DatabaseServer, tmp_path: Path
) -> None:
    with pytest.raises(WrongSetting, match=r"RUNNERLY_ORIGINALS_URL: there are files in s3://runs/originals$"):
        async with process([SERVICE], database_server.uri, tmp_path):
            pass


async def test_half_a_key_stops_the_start(s3_track: Track, database_server: DatabaseServer, tmp_path: Path) -> None:
    half = {"RUNNERLY_ORIGINALS_URL": "s3://runs/originals", "AWS_ACCESS_KEY_ID": "AKIDRUNNERLY"}
    with pytest.raises(WrongSetting, match="AWS_SECRET_ACCESS_KEY"):
        async with process([SERVICE], database_server.uri, tmp_path, **half):
            pass
