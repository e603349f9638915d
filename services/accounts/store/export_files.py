"""The files of exports: what services gave, and the archives made of it, cut into pieces of a megabyte.

No transaction holds a large file: its place is noted before it is written, and whatever no export refers to is swept.
A note says which export it is for, and nothing of the person. Pieces are read one by one, by their ids: a download may
take as long as it likes. (GridFS's driver keeps 48 MB of each file in memory while it is written.)
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from services.accounts.domain.exports import StoredFile
from services.chassis.mongo import Binary, Collection, CollectionSpec, Database, IndexSpec

PIECES, PLACES = "export_pieces", "export_places"
PIECE = 1024 * 1024
KEPT_UNCLAIMED = timedelta(hours=1)

COLLECTIONS = (
    CollectionSpec(PIECES, indexes=(IndexSpec((("file", 1),), name="by_file"),)),
    CollectionSpec(
        PLACES,
        indexes=(IndexSpec((("export", 1),), name="by_export"), IndexSpec((("since", 1),), name="by_age")),
    ),
)


class Overtaken(Exception):
    """The export is over: its person was deleted, or another process finished it."""


class NewFile:
    """A file that is being written."""

    def __init__(self, pieces: Collection, place: str) -> None:
        self._pieces, self._place = pieces, place
        self._waiting = bytearray()
        self._digest, self._size, self._number = hashlib.sha256(), 0, 0

    async def write(self, content: bytes) -> None:
        """Add to it."""
        self._digest.update(content)
        self._size += len(content)
        self._waiting += content
        while len(self._waiting) >= PIECE:
            await self._put_away(PIECE)

    async def close(self) -> StoredFile:
        """It is whole."""
        if self._waiting:
            await self._put_away(len(self._waiting))
        return StoredFile(self._place, self._size, self._digest.hexdigest())

    async def _put_away(self, length: int) -> None:
        content = Binary(bytes(self._waiting[:length]))
        document = {"_id": _piece(self._place, self._number), "file": self._place, "content": content}
        await self._pieces.insert_one(document)
        del self._waiting[:length]
        self._number += 1


class ExportFiles:
    """All of them."""

    def __init__(self, database: Database) -> None:
        self._pieces = database.collection(PIECES)
        self._places = database.collection(PLACES)

    @asynccontextmanager
    async def writing(self, export_id: str) -> AsyncIterator[NewFile]:
        """A new file. Nothing of it stays where this ends in an error, or the export does not refer to it in an hour."""
        place = secrets.token_hex(12)
        await self._places.insert_one({"_id": place, "export": export_id, "since": datetime.now(UTC)})
        try:
            yield NewFile(self._pieces, place)
        except BaseException:
            await self.sweep(place)
            raise

    async def read(self, file: StoredFile, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes from one place up to another. Raises `Overtaken` where it is removed meanwhile."""
        end = file.size if end is None else end
        while start < end:
            piece = await self._pieces.find_one({"_id": _piece(file.place, start // PIECE)})
            if piece is None:
                raise Overtaken
            offset = start % PIECE
            content = bytes(piece["content"])[offset : offset + end - start]
            start += len(content)
            yield content

    async def remove(self, place: str) -> None:
        """Remove a file. Its note goes only when it is swept: who is just writing it may not have heard yet."""
        await self._pieces.delete_many({"file": place})

    async def remove_all(self, export_id: str) -> None:
        """Remove every file of an export."""
        async for note in self._places.find({"export": export_id}):
            await self.remove(note["_id"])

    async def unclaimed(self, now: datetime) -> AsyncIterator[tuple[str, str]]:
        """The places that were noted a while ago, each with its export: whoever asks knows which are referred to."""
        async for note in self._places.find({"since": {"$lt": now - KEPT_UNCLAIMED}}):
            yield note["_id"], note["export"]

    async def sweep(self, place: str) -> None:
        """Remove a file, and the note of it."""
        await self.remove(place)
        await self._places.delete_one({"_id": place})


def _piece(place: str, number: int) -> str:
    return f"{place}.{number}"
