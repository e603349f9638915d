"""Archives as they came, in GridFS from their first byte on until they have been imported.

Its chunks are written and read one by one: the driver's own writer holds 48 MB of each file, and copies that twice.

As with originals, an archive is noted as unclaimed before it is written, and the transaction that makes it an import
removes the note; what is still noted an hour after its last sign of life belongs to nothing, and is swept.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from services.activities.archives.chunked import ChunkedFile, buffered
from services.activities.store.shape import ARCHIVES, UNCLAIMED_ARCHIVES
from services.chassis.mongo import Database, Document, ObjectId, Session
from services.chassis.problems import NotFound, Unavailable

CHUNK = 1024 * 1024
KEPT_UNCLAIMED = timedelta(hours=1)
SIGN_OF_LIFE_S = 60.0
FETCH_S = 30.0
BATCH = 100
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Arriving:
    """An archive on its way in. It is told at its first byte, and now and then, that it is still wanted."""

    def __init__(self, archives: Archives, owner: str) -> None:
        self._archives = archives
        self._owner = owner
        self._held = bytearray()
        self._chunks = self._length = 0
        self._noted_s = 0.0
        self.place = ObjectId()

    async def write(self, chunk: bytes) -> None:
        """Take a piece."""
        if time.monotonic() - self._noted_s > SIGN_OF_LIFE_S:
            await self._archives.note(self.place, self._owner)
            self._noted_s = time.monotonic()
        self._held += chunk
        while len(self._held) >= CHUNK:
            await self._flush()

    async def whole(self) -> ObjectId:
        """Everything is there; the place of it, to be claimed within an hour."""
        if self._held:
            await self._flush()
        await self._archives.complete(self.place, self._owner, self._length)
        await self._archives.note(self.place, self._owner)
        return self.place

    async def abandon(self) -> None:
        """Keep nothing of it."""
        self._held.clear()
        if self._noted_s:
            await self._archives.remove(self.place)

    async def _flush(self) -> None:
        piece = bytes(self._held[:CHUNK])
        del self._held[:CHUNK]
        await self._archives.keep(self.place, self._chunks, piece)
        self._chunks += 1
        self._length += len(piece)


class Archives:
    """The bucket of archives."""

    def __init__(self, database: Database) -> None:
        self._files = database.collection(f"{ARCHIVES}.files")
        self._chunks = database.collection(f"{ARCHIVES}.chunks")
        self._unclaimed = database.collection(UNCLAIMED_ARCHIVES)

    def arriving(self, owner: str) -> Arriving:
        """A new one, of which nothing is there yet."""
        return Arriving(self, owner)

    async def keep(self, place: ObjectId, number: int, piece: bytes) -> None:
        """Keep a chunk of one that arrives, all of them of one size but the last."""
        await self._chunks.insert_one({"files_id": place, "n": number, "data": piece})

    async def complete(self, place: ObjectId, owner: str, length: int) -> None:
        """Say that all chunks of a file are there: only now is it one."""
        file = {"length": length, "chunkSize": CHUNK, "uploadDate": datetime.now(UTC), "filename": owner}
        await self._files.insert_one({"_id": place, **file, "metadata": {"owner": owner}})

    async def note(self, place: ObjectId, owner: str) -> None:
        """Say that nobody has claimed it at this moment."""
        note = {"_id": place, "owner": owner, "since": datetime.now(UTC)}
        await self._unclaimed.replace_one({"_id": place}, note, upsert=True)

    async def claim(self, session: Session, place: ObjectId) -> None:
        """Say in a transaction that an import refers to it. Raises `Unavailable` where it was swept already."""
        removed = await self._unclaimed.delete_one({"_id": place}, session=session)
        if removed.deleted_count == 0:
            raise Unavailable("This took too long: send the archive again")

    async def let_go(self, session: Session, owner: str, place: ObjectId) -> None:
        """Say in a transaction that the import which referred to it has ended."""
        note = {"_id": place, "owner": owner, "since": _LONG_AGO}
        await self._unclaimed.replace_one({"_id": place}, note, upsert=True, session=session)

    async def open(self, place: ObjectId) -> BinaryIO:
        """The archive, to be read in another thread while the event loop runs. Raises `NotFound`."""
        file: Document | None = await self._files.find_one({"_id": place})
        if file is None:
            raise NotFound
        loop = asyncio.get_running_loop()

        def fetch(number: int) -> bytes:
            return asyncio.run_coroutine_threadsafe(self._chunk(place, number), loop).result(FETCH_S)

        return buffered(ChunkedFile(file["length"], file["chunkSize"], fetch))

    async def _chunk(self, place: ObjectId, number: int) -> bytes:
        chunk: Document | None = await self._chunks.find_one({"files_id": place, "n": number}, {"data": 1})
        if chunk is None:
            raise NotFound
        return bytes(chunk["data"])

    async def sweep(self, *, older_than: timedelta = KEPT_UNCLAIMED) -> int:
        """Remove what nothing has claimed for so long; returns how many archives."""
        found = self._unclaimed.find({"since": {"$lt": datetime.now(UTC) - older_than}}, {"_id": 1}).limit(BATCH)
        places = [note["_id"] async for note in found]
        for place in places:
            await self.remove(place)
        return len(places)

    async def remove(self, place: ObjectId) -> None:
        """Remove it, with what a broken line or a killed process left of it; the note last."""
        await self._chunks.delete_many({"files_id": place})
        await self._files.delete_one({"_id": place})
        await self._unclaimed.delete_one({"_id": place})

    async def remove_all(self, owner: str) -> None:
        """Remove every archive of a runner."""
        notes = [note["_id"] async for note in self._unclaimed.find({"owner": owner}, {"_id": 1})]
        files = [file["_id"] async for file in self._files.find({"metadata.owner": owner}, {"_id": 1})]
        for place in {*notes, *files}:
            await self.remove(place)
