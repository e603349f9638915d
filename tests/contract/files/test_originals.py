"""Originals are noted, written, then claimed, wherever they are kept: whatever breaks in between leaves nothing behind."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import uuid4

import pytest
import zstandard

from services.activities.store.files import DatabaseFiles, Files, Place
from services.activities.store.originals import Damaged, Original, Originals
from services.activities.store.s3 import S3Files
from services.activities.store.shape import UNCLAIMED
from services.chassis.mongo import Database, ObjectId, Session
from services.chassis.problems import NotFound, Unavailable

RUN = b"a run" * 1000
DIGEST = hashlib.sha256(RUN).hexdigest()
PACKED = zstandard.compress(RUN)
ANY_AGE = timedelta(seconds=-1)


@pytest.fixture
def ann() -> str:
    """Somebody whom no other test knows."""
    return f"ann-{uuid4().hex}"


async def claim(activities: Database, originals: Originals, owner: str, original: Original) -> None:
    await activities.transact(lambda session: originals.claim(session, owner, original))


async def notes(activities: Database) -> int:
    return await activities.collection(UNCLAIMED).count_documents({})


class Killed(BaseException):
    """The process is gone."""


class Doomed:
    """Files of a process that is killed while it writes one: before the bytes are there, or after."""

    def __init__(self, files: Files, *, written: bool) -> None:
        self._files = files
        self._written = written
        self.last: Place = ""

    def new_place(self, owner: str) -> Place:
        self.last = self._files.new_place(owner)
        return self.last

    async def write(self, place: Place, owner: str, sha256: str, content: bytes) -> None:
        if self._written:
            await self._files.write(place, owner, sha256, content)
        raise Killed

    async def read(self, place: Place) -> bytes:
        return await self._files.read(place)

    async def remove(self, place: Place) -> None:
        await self._files.remove(place)

    async def remove_all(self, owner: str) -> None:
        await self._files.remove_all(owner)


async def test_what_is_claimed_stays_and_comes_back_byte_for_byte(
    activities: Database, originals: Originals, ann: str
) -> None:
    original = await originals.put_away(ann, DIGEST, PACKED)
    await claim(activities, originals, ann, original)
    assert await originals.sweep(older_than=ANY_AGE) == 0
    assert await originals.read(original.place, DIGEST) == RUN


async def test_what_nothing_claims_is_swept_after_its_time(
    activities: Database, originals: Originals, ann: str
) -> None:
    original = await originals.put_away(ann, DIGEST, PACKED)
    assert await originals.sweep() == 0
    assert await originals.sweep(older_than=ANY_AGE) == 1
    with pytest.raises(NotFound):
        await originals.read(original.place, DIGEST)
    with pytest.raises(Unavailable):
        await claim(activities, originals, ann, original)


async def test_what_the_last_activity_let_go_is_swept_at_once(
    activities: Database, originals: Originals, ann: str
) -> None:
    original = await originals.put_away(ann, DIGEST, PACKED)
    await claim(activities, originals, ann, original)
    await activities.transact(lambda session: originals.let_go(session, ann, original.place))
    assert await originals.sweep() == 1
    with pytest.raises(NotFound):
        await originals.read(original.place, DIGEST)


@pytest.mark.parametrize("written", [False, True], ids=["before the write", "after the write"])
async def test_what_a_killed_process_was_writing_is_swept(
    activities: Database, files: Files, originals: Originals, ann: str, written: bool
) -> None:
    doomed = Doomed(files, written=written)
    with pytest.raises(Killed):
        await Originals(activities, doomed, small=0).put_away(ann, DIGEST, PACKED)
    assert await originals.sweep() == 0
    assert await originals.sweep(older_than=ANY_AGE) == 1
    assert await notes(activities) == 0
    with pytest.raises(NotFound):
        await originals.read(doomed.last, DIGEST)


async def test_nothing_of_who_left_stays_also_of_what_arrives_at_that_moment(
    activities: Database, files: Files, originals: Originals, ann: str
) -> None:
    class Overtaken(Doomed):
        async def write(self, place: Place, owner: str, sha256: str, content: bytes) -> None:
            await originals.remove_all(owner)
            await self._files.write(place, owner, sha256, content)

    kept = await originals.put_away(ann, DIGEST, PACKED)
    await claim(activities, originals, ann, kept)
    late = await Originals(activities, Overtaken(files, written=True), small=0).put_away(ann, DIGEST, PACKED)
    with pytest.raises(NotFound):
        await originals.read(kept.place, DIGEST)
    with pytest.raises(Unavailable):
        await claim(activities, originals, ann, late)
    assert ann not in await activities.collection(UNCLAIMED).distinct("owner")
    assert await originals.sweep(older_than=ANY_AGE) == 1
    with pytest.raises(NotFound):
        await originals.read(late.place, DIGEST)


@pytest.mark.parametrize("now", [zstandard.compress(b"another run"), PACKED[:-9], b"nonsense"])
async def test_a_file_that_is_not_what_was_sent_is_not_given_out(
    files: Files, originals: Originals, ann: str, now: bytes
) -> None:
    place = files.new_place(ann)
    await files.write(place, ann, DIGEST, now)
    with pytest.raises(Damaged):
        await originals.read(place, DIGEST)


async def test_a_small_file_is_written_with_what_refers_to_it(activities: Database, ann: str) -> None:
    originals = Originals(activities)
    original = await originals.put_away(ann, DIGEST, PACKED)
    assert await notes(activities) == 0
    with pytest.raises(NotFound):
        await originals.read(original.place, DIGEST)

    async def broken(session: Session) -> None:
        await originals.claim(session, ann, original)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await activities.transact(broken)
    with pytest.raises(NotFound):
        await originals.read(original.place, DIGEST)
    await claim(activities, originals, ann, original)
    assert await originals.read(original.place, DIGEST) == RUN
    assert await DatabaseFiles(activities).read(original.place) == PACKED, "as the driver reads what it wrote"
    await activities.transact(lambda session: originals.let_go(session, ann, original.place))
    assert await originals.sweep() == 1
    with pytest.raises(NotFound):
        await originals.read(original.place, DIGEST)


async def test_files_from_before_there_was_a_bucket_stay_where_they_are(
    activities: Database, bucket: S3Files, ann: str
) -> None:
    before, after = Originals(activities, small=0), Originals(activities, bucket)
    old = (await before.put_away(ann, DIGEST, PACKED)).place
    new = (await after.put_away(ann, DIGEST, PACKED)).place
    assert isinstance(old, ObjectId)
    assert isinstance(new, str)
    for place in (old, new):
        assert await after.read(place, DIGEST) == RUN
    with pytest.raises(Unavailable):
        await before.read(new, DIGEST)
    await after.remove_all(ann)
    for files, place in ((DatabaseFiles(activities), old), (bucket, new)):
        with pytest.raises(NotFound):
            await files.read(place)
