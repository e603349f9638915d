"""Files move into a bucket and out of it, and can be had all the while."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from services.activities.app import SERVICE
from services.activities.domain.activity import Activity
from services.activities.parsers.packed import parsed_file
from services.activities.store.activities import ActivityStore
from services.activities.store.files import DatabaseFiles, Place
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.rebuilds import Rebuilds
from services.activities.store.s3 import Location, S3Files
from services.activities.store.shape import COLLECTIONS
from services.activities.usecases.import_file import new_activities
from services.activities.usecases.move_originals import Moved, MoveOriginals
from services.chassis.bus import outbox
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import unkeyed
from services.chassis.mongo import Database, Mongo, ObjectId
from tests.support.database import DatabaseServer
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import a_run, gpx
from tests.support.s3 import BUCKET, KEY, SECRET, S3Server

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Runnerly:
    """The stores of an installation, before it has a bucket, and since."""

    database: Database
    bucket: S3Files

    def store(self, *, bucket: bool) -> ActivityStore:
        originals = Originals(self.database, self.bucket if bucket else None)
        return ActivityStore(self.database, originals, GearStore(self.database), Outbox(self.database))

    async def upload(self, owner: str, content: bytes, *, bucket: bool) -> str:
        parsed = parsed_file(content, hashlib.sha256(content).hexdigest(), {}, level=1)
        new = new_activities(owner, "a.gpx", parsed, lambda: uuid4().hex[:24], datetime.now(UTC))
        store = self.store(bucket=bucket)
        original = await store._originals.put_away(owner, parsed.sha256, parsed.original)
        (added,) = await store.add(owner, new, original, unkeyed())
        return added.id

    async def places(self) -> list[Place]:
        found = self.database.collection("activities").find({}, {"original": 1})
        return [activity["original"] async for activity in found]

    async def move(self, *, to_bucket: bool) -> Moved:
        moving = MoveOriginals(Originals(self.database, self.bucket), Rebuilds(self.database))
        return await moving(lambda _: None, to_bucket=to_bucket)


@pytest.fixture
def location(s3_server: S3Server) -> Location:
    """A part of the bucket that no other test looks at."""
    return Location(f"s3://{BUCKET}/{uuid4().hex}", "us-east-1", s3_server.endpoint, KEY, SECRET)


@pytest.fixture
def living(location: Location, metrics: RecordedMetrics, logs: RecordedLogs) -> Callable[[Database], Runnerly]:
    return lambda database: Runnerly(database, S3Files(location, "activities", metrics, logs.logger()))


async def objects(location: Location) -> int:
    return len(await location.store().list().collect_async())


async def test_files_move_there_and_back(
    activities: Database, living: Callable[[Database], Runnerly], location: Location
) -> None:
    await activities.apply(outbox.COLLECTIONS)
    runnerly = living(activities)
    runs = [gpx(a_run(600 + 120 * number, every=60)) for number in range(10)]
    owners = ["ann", "ben"] * 5
    ids = [
        await runnerly.upload(owner, run, bucket=n > 6) for n, (owner, run) in enumerate(zip(owners, runs, strict=True))
    ]

    async def all_there() -> bool:
        store = runnerly.store(bucket=True)
        found = [(await store.original(owner, one))[1] for owner, one in zip(owners, ids, strict=True)]
        return found == runs

    assert await runnerly.move(to_bucket=True) == Moved(7, 0, bucket_is_empty=False)
    assert all(isinstance(place, str) for place in await runnerly.places())
    assert await all_there()
    assert await activities.collection("originals.files").count_documents({}) == 0
    assert await runnerly.move(to_bucket=True) == Moved(0, 0, bucket_is_empty=False)
    assert await runnerly.move(to_bucket=False) == Moved(10, 0, bucket_is_empty=True)
    assert all(isinstance(place, ObjectId) for place in await runnerly.places())
    assert await all_there()
    assert await objects(location) == 0


async def test_what_changes_at_that_moment_is_not_undone(
    activities: Database, living: Callable[[Database], Runnerly], location: Location
) -> None:
    await activities.apply(outbox.COLLECTIONS)
    runnerly = living(activities)
    runs = [gpx(a_run(600 + 120 * number, every=60)) for number in range(8)]
    ids = [await runnerly.upload("ann", run, bucket=False) for run in runs]
    store = runnerly.store(bucket=True)

    async def correct(activity_id: str) -> None:
        for number in range(5):
            await store.correct("ann", activity_id, _called(f"{number}"), None)

    removing = asyncio.gather(*(store.remove("ann", one, None) for one in ids[:3]))
    correcting = asyncio.gather(*(correct(one) for one in ids[3:]))
    moved, *_ = await asyncio.gather(runnerly.move(to_bucket=True), removing, correcting)
    assert moved.unreadable == 0
    await runnerly.move(to_bucket=True)  # those that were being changed
    for one, run in zip(ids[3:], runs[3:], strict=True):
        activity, content = await store.original("ann", one)
        assert (activity.title, content) == ("4", run)
    assert all(isinstance(place, str) for place in await runnerly.places())


async def test_a_file_that_is_damaged_stays_and_holds_up_no_other(
    activities: Database, living: Callable[[Database], Runnerly]
) -> None:
    await activities.apply(outbox.COLLECTIONS)
    runnerly = living(activities)
    await runnerly.upload("ann", gpx(a_run(600, every=60)), bucket=False)
    await runnerly.upload("ann", gpx(a_run(660, every=60)), bucket=False)
    (broken, sound) = sorted(await runnerly.places(), key=str)
    await DatabaseFiles(activities).remove(broken)
    assert await runnerly.move(to_bucket=True) == Moved(1, 1, bucket_is_empty=False)
    assert broken in await runnerly.places()
    assert sound not in await runnerly.places()


async def test_the_command_moves_them_and_says_when_the_bucket_is_left(
    own_database_server: DatabaseServer,
    own_mongo: Mongo,
    living: Callable[[Database], Runnerly],
    location: Location,
    tmp_path: Path,
) -> None:
    database = own_mongo.database(SERVICE.database)
    await database.apply((*COLLECTIONS, *outbox.COLLECTIONS))
    runnerly = living(database)
    await runnerly.upload("ann", gpx(a_run(600, every=60)), bucket=False)
    variables = {
        "RUNNERLY_HOME": str(tmp_path),
        "MONGODB_URI": own_database_server.uri,
        "RUNNERLY_ORIGINALS_URL": location.url,
        "AWS_ENDPOINT_URL_S3": location.endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }

    def move(to: str) -> str:
        command = [sys.executable, "-m", "services", "activities", "move-files", "--to", to]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=True
        ).stdout

    assert "1 files moved to the bucket" in move("bucket")
    assert (await objects(location), await Originals(database).buckets()) == (1, [location.url])
    assert "unset RUNNERLY_ORIGINALS_URL" in move("database")
    assert (await objects(location), await Originals(database).buckets()) == (0, [])


def _called(title: str) -> Callable[[Activity], Activity]:
    return lambda activity: msgspec.structs.replace(activity, title=title)
