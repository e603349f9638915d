"""Every place to keep files, for one suite: in the database, and in a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.activities.store.files import DatabaseFiles, Files
from services.activities.store.originals import Originals
from services.activities.store.s3 import S3Files
from services.activities.store.shape import COLLECTIONS
from services.chassis.mongo import Database
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.s3 import S3Server

KINDS = ("database", "bucket")


@pytest.fixture
def logs() -> Iterator[RecordedLogs]:
    recorded = RecordedLogs()
    yield recorded
    recorded.close()


@pytest.fixture
def metrics() -> RecordedMetrics:
    return RecordedMetrics()


@pytest.fixture
async def activities(database: Database) -> Database:
    """A database of activities."""
    await database.apply(COLLECTIONS)
    return database


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each in turn."""
    kind: str = request.param
    return kind


@pytest.fixture
def bucket(s3_server: S3Server, metrics: RecordedMetrics, logs: RecordedLogs) -> S3Files:
    return S3Files(s3_server.location(), "activities", metrics, logs.logger())


@pytest.fixture
def files(kind: str, activities: Database, bucket: S3Files) -> Files:
    return bucket if kind == "bucket" else DatabaseFiles(activities)


@pytest.fixture
def originals(kind: str, activities: Database, bucket: S3Files) -> Originals:
    return Originals(activities, bucket if kind == "bucket" else None, small=0)
