"""What only a bucket has: keys and types, and a store that is slow, away, or refuses."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from services.activities.store import s3
from services.activities.store.originals import Originals
from services.activities.store.s3 import (
    AccessDenied,
    BucketAway,
    BucketRefuses,
    Location,
    NoCredentials,
    NoSuchBucket,
    S3Files,
)
from services.activities.store.shape import UNCLAIMED
from services.chassis.mongo import Database
from services.chassis.problems import NotFound
from tests.support.party import answer, hang, party
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.s3 import BUCKET, KEY, SECRET, S3Server

DIGEST = "a" * 64


@pytest.fixture
def ann() -> str:
    """Somebody whom no other test knows."""
    return f"ann-{uuid4().hex}"


@pytest.fixture
def at(metrics: RecordedMetrics, logs: RecordedLogs) -> Callable[[str], S3Files]:
    """Files in the bucket of whoever answers at an address."""

    def files(url: str) -> S3Files:
        return S3Files(Location(f"s3://{BUCKET}", "us-east-1", url, KEY, SECRET), "activities", metrics, logs.logger())

    return files


async def test_keys_tell_nobodys_id_and_objects_their_type(s3_server: S3Server, bucket: S3Files, ann: str) -> None:
    place = bucket.new_place(ann)
    await bucket.write(place, ann, DIGEST, b"a run")
    whole = Location(f"s3://{BUCKET}", "us-east-1", s3_server.endpoint, KEY, SECRET).store()
    key = f"originals/{place}"
    assert key in [one["path"] for one in await whole.list().collect_async()]
    assert ann not in key
    assert (await whole.get_async(key)).attributes == {"Content-Type": "application/zstd", "sha256": DIGEST}


async def test_more_than_a_page_is_removed(bucket: S3Files, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "PAGE", 2)
    for _ in range(5):
        await bucket.write(bucket.new_place(ann), ann, DIGEST, b"a run")
    assert [len(keys) async for keys in bucket._keys(s3.folder_of(ann))] == [2, 2, 1]
    await bucket.remove_all(ann)
    assert [keys async for keys in bucket._keys(s3.folder_of(ann))] == []


async def test_a_store_that_is_away_is_told_and_nothing_is_half_stored(
    own_s3_server: S3Server, activities: Database, metrics: RecordedMetrics, logs: RecordedLogs
) -> None:
    files = S3Files(own_s3_server.location(), "activities", metrics, logs.logger())
    originals = Originals(activities, files)
    own_s3_server.kill()
    with pytest.raises(BucketAway):
        await originals.put_away("ann", DIGEST, b"a run")
    with pytest.raises(BucketAway):
        await files.check()
    assert logs.fields("outgoing.failed")["party"] == "s3"
    assert await activities.collection(UNCLAIMED).count_documents({}) == 1
    with pytest.raises(BucketAway):
        await originals.sweep(older_than=timedelta(seconds=-1))
    assert await activities.collection(UNCLAIMED).count_documents({}) == 1
    own_s3_server.start()
    assert await originals.sweep(older_than=timedelta(seconds=-1)) == 1
    assert await activities.collection(UNCLAIMED).count_documents({}) == 0


async def test_a_store_that_stays_away_is_left_alone(at: Callable[[str], S3Files], logs: RecordedLogs) -> None:
    async with party(answer(503)) as away:
        files = at(away.url)
        with pytest.raises(BucketAway):
            await files.read("a/b")
        assert len(away.asked) == 1 + s3.RETRIES
        for _ in range(4):
            with pytest.raises(BucketAway):
                await files.read("a/b")
        asked = len(away.asked)
        with pytest.raises(BucketAway) as refused:
            await files.read("a/b")
        assert len(away.asked) == asked
        assert refused.value.retry_after_s
    assert "breaker.opened" in logs.events


async def test_a_store_that_hangs_costs_no_more_than_its_time(
    at: Callable[[str], S3Files], logs: RecordedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "CALL_S", 0.3)
    async with party(hang) as slow:
        files = at(slow.url)
        began = time.monotonic()
        with pytest.raises(BucketAway):
            await files.write("a/b", "ann", DIGEST, b"a run")
        assert time.monotonic() - began < 10, "where it hangs for half a minute"
    assert logs.fields("outgoing.failed")["outcome"] == "timeout"


async def test_one_refusal_for_now_is_not_even_noticed(at: Callable[[str], S3Files]) -> None:
    async with party(answer(503, b"<Error><Code>SlowDown</Code></Error>"), answer(200, ETag='"1"')) as busy:
        files = at(busy.url)
        await files.write("a/b", "ann", DIGEST, b"a run")
        assert [(one.method, one.body) for one in busy.asked] == [("PUT", b"a run")] * 2
        assert "x-amz-content-sha256" in busy.asked[0].headers


async def test_wrong_credentials_are_told_as_such(tmp_path: Path, metrics: RecordedMetrics, logs: RecordedLogs) -> None:
    strict = S3Server(tmp_path, strict=True)
    strict.start()
    files = S3Files(strict.location(), "activities", metrics, logs.logger())
    with pytest.raises(AccessDenied):
        await files.check()
    with pytest.raises(AccessDenied):
        await files.write("a/b", "ann", DIGEST, b"a run")
    with pytest.raises(AccessDenied):
        await files.read("a/b")
    assert logs.fields("outgoing.failed")["outcome"] == "InvalidAccessKeyId"
    assert not [record for record in logs.records if SECRET in str(record) or KEY in str(record)]
    strict.kill()


async def test_without_a_key_the_role_of_the_task_is_asked_for(
    metrics: RecordedMetrics, logs: RecordedLogs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    role = {
        "AccessKeyId": "ASIA",
        "SecretAccessKey": "of the role",
        "Token": "of it",
        "Expiration": "2999-01-01T00:00:00Z",
    }
    (tmp_path / "token").write_text("who we are")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "")  # as Compose has it, where nothing is set
    async with party(answer(200, msgspec.json.encode(role))) as tasks, party(answer(ETag='"1"')) as store:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", tasks.url)
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        location = Location(f"s3://{BUCKET}", "us-east-1", store.url)
        await S3Files(location, "activities", metrics, logs.logger()).write("a/b", "ann", DIGEST, b"a run")
    assert "Credential=ASIA/" in store.asked[0].headers["authorization"]
    assert store.asked[0].headers["x-amz-security-token"] == "of it"


async def test_no_credentials_at_all_are_told_as_such(
    metrics: RecordedMetrics, logs: RecordedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/none")  # on 169.254.170.2
    files = S3Files(Location(f"s3://{BUCKET}", "us-east-1"), "activities", metrics, logs.logger())
    with pytest.raises(NoCredentials):
        await files.check()


async def test_a_bucket_that_is_not_there_is_no_file_that_is_not_there(
    s3_server: S3Server, metrics: RecordedMetrics, logs: RecordedLogs
) -> None:
    files = S3Files(s3_server.location("nowhere"), "activities", metrics, logs.logger())
    with pytest.raises(NoSuchBucket):
        await files.check()
    with pytest.raises(NoSuchBucket):
        await files.write("a/b", "ann", DIGEST, b"a run")
    with pytest.raises(NoSuchBucket):
        await files.read("a/b")


async def test_what_a_store_can_not_do_is_a_refusal(at: Callable[[str], S3Files]) -> None:
    async with party(answer(400, b"<Error><Code>InvalidRequest</Code></Error>")) as other:
        files = at(other.url)
        with pytest.raises(BucketRefuses):
            await files.write("a/b", "ann", DIGEST, b"a run")
    assert issubclass(NoSuchBucket, BucketRefuses)
    assert not issubclass(NotFound, BucketRefuses)
