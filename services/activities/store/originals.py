"""The files as they came: compressed, each under its owner and digest, put away before anything refers to it.

GridFS can't be in a transaction. So an original is noted as unclaimed before it is written, and the transaction that
adds its activity removes the note; what is still noted an hour later belongs to nothing, and is swept.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from datetime import UTC, datetime, timedelta

import zstandard

from services.activities.store.shape import ACTIVITIES, ORIGINALS, UNCLAIMED
from services.chassis.logs import Logger
from services.chassis.mongo import Database, DatabaseError, NoFile, ObjectId, Session
from services.chassis.problems import NotFound, Unavailable

KEPT_UNCLAIMED = timedelta(hours=1)
SWEEP_EACH_S = 600.0
BATCH = 500
LARGEST = 64 * 1024 * 1024
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Originals:
    """The bucket of files."""

    def __init__(self, database: Database) -> None:
        self._bucket = database.bucket(ORIGINALS)
        self._unclaimed = database.collection(UNCLAIMED)
        self._activities = database.collection(ACTIVITIES)
        self._files = database.collection(f"{ORIGINALS}.files")

    async def put_away(self, owner: str, sha256: str, compressed: bytes) -> ObjectId:
        """Keep a file; it stays when `claim` is called within an hour."""
        place = ObjectId()
        await self._unclaimed.insert_one({"_id": place, "owner": owner, "since": datetime.now(UTC)})
        metadata = {"owner": owner, "sha256": sha256}
        await self._bucket.upload_from_stream_with_id(place, f"{owner}/{sha256}", compressed, metadata=metadata)
        return place

    async def claim(self, session: Session, place: ObjectId) -> None:
        """Say in a transaction that something refers to it now. Raises `Unavailable` where it was swept already."""
        removed = await self._unclaimed.delete_one({"_id": place}, session=session)
        if removed.deleted_count == 0:
            raise Unavailable("This took too long: send the file again")

    async def let_go(self, session: Session, owner: str, place: ObjectId) -> None:
        """Say in a transaction that an activity which referred to it is gone; the last one leaves it to be swept."""
        if await self._activities.find_one({"original": place}, {"_id": 1}, session=session) is None:
            note = {"_id": place, "owner": owner, "since": _LONG_AGO}
            await self._unclaimed.replace_one({"_id": place}, note, upsert=True, session=session)

    async def read(self, place: ObjectId) -> bytes:
        """The very bytes that were sent. Raises `NotFound`."""
        try:
            compressed = io.BytesIO()
            await self._bucket.download_to_stream(place, compressed)
        except NoFile:
            raise NotFound from None
        return await asyncio.to_thread(_decompressed, compressed.getvalue())

    async def sweep(self, *, older_than: timedelta = KEPT_UNCLAIMED) -> int:
        """Remove what nothing has claimed for so long; returns how many files."""
        found = self._unclaimed.find({"since": {"$lt": datetime.now(UTC) - older_than}}, {"_id": 1}).limit(BATCH)
        places = [note["_id"] async for note in found]
        for place in places:
            await self._remove(place)
        return len(places)

    async def sweep_for_ever(self, log: Logger) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            try:
                swept = await self.sweep()
                if swept:
                    log.info("activity.originals_swept", files=swept)
            except DatabaseError as error:
                log.warning("activity.sweep_failed", reason=type(error).__name__)
            await asyncio.sleep(SWEEP_EACH_S)

    async def remove_all(self, owner: str) -> None:
        """Remove every file of a runner, and every note of one."""
        async for file in self._files.find({"metadata.owner": owner}, {"_id": 1}):
            await self._remove(file["_id"])
        await self._unclaimed.delete_many({"owner": owner})

    async def _remove(self, place: ObjectId) -> None:
        """The file first: where we are interrupted, the note is still there."""
        with contextlib.suppress(NoFile):  # it was noted, and never written, or removed by another
            await self._bucket.delete(place)
        await self._unclaimed.delete_one({"_id": place})


def _decompressed(compressed: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(compressed, max_output_size=LARGEST)
