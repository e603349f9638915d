"""The files as they came: compressed, each put away before anything refers to it.

Neither GridFS nor a bucket can be in a transaction. So an original is noted as unclaimed before it is written, and the
transaction that adds its activity removes the note; what is still noted an hour later belongs to nothing, and is swept.
But GridFS is two collections: what fits into one chunk is two documents, which are written in the transaction itself.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import zstandard
from msgspec import Struct

from services.activities.store.files import DatabaseFiles, Files, Place
from services.activities.store.shape import ACTIVITIES, BUCKETS, UNCLAIMED
from services.chassis.logs import Logger
from services.chassis.mongo import Database, DatabaseError, ObjectId, Session
from services.chassis.problems import Unavailable

KEPT_UNCLAIMED = timedelta(hours=1)
SWEEP_EACH_S = 600.0
BATCH = 500
LARGEST = 64 * 1024 * 1024
SMALL = 1024 * 1024
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Damaged(Exception):
    """What is kept of a file is not the file any more."""


class Original(Struct, frozen=True):
    """A file that is put away; `content` is what is still to be written, where it is small, with what refers to it."""

    place: Place
    sha256: str
    content: bytes | None = None


class Originals:
    """The files, in the database, or in a bucket where there is one. Those that are in the database stay there."""

    def __init__(self, database: Database, bucket: Files | None = None, *, small: int = SMALL) -> None:
        """Files of at most `small` bytes are written along with what refers to them."""
        self._database = database
        self._small = small
        self._in_database = DatabaseFiles(database)
        self._bucket = bucket
        self._unclaimed = database.collection(UNCLAIMED)
        self._activities = database.collection(ACTIVITIES)
        self._buckets = database.collection(BUCKETS)

    def goes_along(self, compressed: bytes) -> bool:
        """Whether a file is small enough to be written in the transaction that claims it, and not before."""
        return self._bucket is None and len(compressed) <= self._small

    async def put_away(self, owner: str, sha256: str, compressed: bytes) -> Original:
        """Keep a file; it stays when `claim` is called within an hour."""
        if self.goes_along(compressed):
            return Original(self._in_database.new_place(owner), sha256, compressed)
        return Original(await self._put(self._bucket or self._in_database, owner, sha256, compressed), sha256)

    async def claim(self, session: Session, owner: str, *originals: Original) -> None:
        """Say in a transaction that something refers to these now.

        Raises `Unavailable` where one was swept already, or all that its runner had was removed meanwhile.
        """
        small = [(one.place, one.sha256, one.content) for one in originals if one.content is not None]
        if small:
            await self._in_database.write_along(session, owner, small)
        for one in originals:
            if one.content is not None:
                continue
            removed = await self._unclaimed.delete_one({"_id": one.place, "owner": owner}, session=session)
            if removed.deleted_count == 0:
                raise Unavailable("This took too long: send the file again")

    async def let_go(self, session: Session, owner: str, place: Place) -> None:
        """Say in a transaction that an activity which referred to it is gone; the last one leaves it to be swept."""
        if await self._activities.find_one({"original": place}, {"_id": 1}, session=session) is None:
            note = {"_id": place, "owner": owner, "since": _LONG_AGO}
            await self._unclaimed.replace_one({"_id": place}, note, upsert=True, session=session)

    async def read(self, place: Place, sha256: str) -> bytes:
        """The very bytes that were sent, whose digest this is. Raises `NotFound`, `Damaged`."""
        return await asyncio.to_thread(_unpacked, await self._files(place).read(place), sha256)

    async def move(self, owner: str, place: Place, sha256: str, *, to_bucket: bool) -> bool:
        """Keep a file in the bucket, or in the database; whether it was not there, and is now.

        Raises `NotFound`, `Damaged`, and `Unavailable` where the bucket does not answer.
        """
        if _is_in_bucket(place) == to_bucket:
            return False
        compressed = await self._files(place).read(place)
        await asyncio.to_thread(_unpacked, compressed, sha256)
        there = await self._put(self._files_in(bucket=to_bucket), owner, sha256, compressed)

        async def body(session: Session) -> bool:
            change = {"$set": {"original": there}}
            moved = await self._activities.update_many({"original": place}, change, session=session)
            if not moved.modified_count:  # its last activity has gone meanwhile
                return False
            await self.claim(session, owner, Original(there, sha256))
            await self.let_go(session, owner, place)
            return True

        return await self._database.transact(body)

    async def sweep(self, *, older_than: timedelta = KEPT_UNCLAIMED) -> int:
        """Remove what nothing has claimed for so long; returns how many files.

        Raises `Unavailable` where the bucket does not answer, when what is in the database is gone.
        """
        found = self._unclaimed.find({"since": {"$lt": datetime.now(UTC) - older_than}}, {"_id": 1}).limit(BATCH)
        places = [note["_id"] async for note in found]
        for place in sorted(places, key=_is_in_bucket):
            await self._remove(place)
        return len(places)

    async def sweep_for_ever(self, log: Logger) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            try:
                swept = await self.sweep()
                if swept:
                    log.info("activity.originals_swept", files=swept)
            except (DatabaseError, Unavailable) as error:
                log.warning("activity.sweep_failed", reason=type(error).__name__)
            await asyncio.sleep(SWEEP_EACH_S)

    async def remove_all(self, owner: str) -> None:
        """Remove every file of a runner.

        One that is being written at this moment can't be claimed any more: its note, no longer a runner's, has it swept.
        """
        await self._unclaimed.update_many({"owner": owner}, {"$unset": {"owner": ""}})
        for files in (self._in_database, self._bucket):
            if files is not None:
                await files.remove_all(owner)

    async def note_bucket(self, url: str) -> None:
        """Remember, before anything is put there, that this bucket is used."""
        since = {"$setOnInsert": {"since": datetime.now(UTC)}}
        await self._buckets.update_one({"_id": url}, since, upsert=True)

    async def buckets(self) -> list[str]:
        """The buckets that files were ever kept in."""
        return [bucket["_id"] async for bucket in self._buckets.find({}, {"_id": 1})]

    async def leave_bucket(self) -> bool:
        """Where nothing is in a bucket any more, don't ask for one; whether that is so."""
        for collection, field in ((self._activities, "original"), (self._unclaimed, "_id")):
            if await collection.find_one({field: {"$type": "string"}}, {"_id": 1}) is not None:
                return False
        await self._buckets.delete_many({})
        return True

    async def _put(self, files: Files, owner: str, sha256: str, compressed: bytes) -> Place:
        place = files.new_place(owner)
        await self._unclaimed.insert_one({"_id": place, "owner": owner, "since": datetime.now(UTC)})
        await files.write(place, owner, sha256, compressed)
        return place

    def _files(self, place: Place) -> Files:
        return self._files_in(bucket=_is_in_bucket(place))

    def _files_in(self, *, bucket: bool) -> Files:
        if not bucket:
            return self._in_database
        if self._bucket is None:
            raise Unavailable("Files as they were uploaded are in a bucket that is not configured")
        return self._bucket

    async def _remove(self, place: Place) -> None:
        """The file first: where we are interrupted, the note is still there."""
        await self._files(place).remove(place)
        await self._unclaimed.delete_one({"_id": place})


def _is_in_bucket(place: Place) -> bool:
    return not isinstance(place, ObjectId)


def _unpacked(compressed: bytes, sha256: str) -> bytes:
    try:
        content = zstandard.ZstdDecompressor().decompress(compressed, max_output_size=LARGEST)
    except zstandard.ZstdError as error:
        raise Damaged from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Damaged
    return content
