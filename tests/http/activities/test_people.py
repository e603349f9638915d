"""A runner can take everything out, and be gone."""

from __future__ import annotations

import io
import tarfile

import msgspec
import pytest

from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import Session, a_run, fit, gpx
from tests.support.runners import Runner, Track

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_runner_takes_out_all_there_is_and_is_gone(shared_track: Track, runner: Runner, other: Runner) -> None:
    run, ride = gpx(a_run(600)), fit(Session(a_run(900)))
    kept = [await runner.uploaded(run), await runner.uploaded(ride)]
    theirs = await other.uploaded(run)
    settings, logs = shared_track.settings, RecordedLogs()
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    token = await Identity.of("accounts", settings, http).token("activities")
    url = f"{settings.peer('activities')}/internal/v1/people/{runner.sub}"
    headers = {"Authorization": f"Bearer {token}"}
    async with shared_track.client.get(url, headers=headers) as answer:
        assert answer.status == 200
        archive = await answer.read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as taken:
        contents = {member.name: taken.extractfile(member).read() for member in taken}  # type: ignore[union-attr]
    activities = {name for name in contents if name.startswith("activities/")}
    assert activities == {f"activities/{activity['id']}.json" for activity in kept}
    assert {contents[name] for name in contents if name.startswith("originals/")} == {run, ride}
    assert msgspec.json.decode(contents[f"activities/{kept[0]['id']}.json"])["title"] == kept[0]["title"]
    for _ in range(2):  # it must be safe to call again
        async with shared_track.client.delete(url, headers=headers) as answer:
            assert (answer.status, await answer.json()) == (200, {"kept": []})
    await http.close()
    logs.close()
    # however long the token lives, nothing comes back
    assert (await runner.get("/activities")).status == 401
    assert (await runner.upload(run)).status == 401
    assert (await other.get(f"/activities/{theirs['id']}/original")).body == run
    database = shared_track.mongo.database("runnerly_activities")
    for name in await database.collection_names():
        documents = await database.collection(name).find({}).to_list(None)
        assert [one for one in documents if runner.sub in str(one)] == [], name


async def test_only_a_service_may(shared_track: Track, runner: Runner) -> None:
    url = f"{shared_track.settings.peer('activities')}/internal/v1/people/{runner.sub}"
    headers = {"Authorization": f"Bearer {runner.token}"}
    async with shared_track.client.delete(url, headers=headers) as answer:
        assert answer.status in {401, 403}
