"""Where files are kept: what every such place can do, and the one that is always there, in the database.

A file is written once, whole or not at all, under a place that was made for it before. The kind of place says where to
look for it ever after: an `ObjectId` is in the database, a string is the key of an object in a bucket.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from services.activities.store.shape import ORIGINALS
from services.chassis.mongo import Database, NoFile, ObjectId, Session
from services.chassis.problems import NotFound

Place: TypeAlias = ObjectId | str


class Files(Protocol):
    """Somewhere to keep files. All but `new_place` raise `Unavailable` where it does not answer."""

    def new_place(self, owner: str) -> Place:
        """A place that nothing is at, for a file of this runner."""

    async def write(self, place: Place, owner: str, sha256: str, content: bytes) -> None:
        """Keep these bytes there; `sha256` is the digest of what they are when they are unpacked."""

    async def read(self, place: Place) -> bytes:
        """The bytes that are there. Raises `NotFound`."""

    async def remove(self, place: Place) -> None:
        """Keep them no longer; where nothing is, nothing happens."""

    async def remove_all(self, owner: str) -> None:
        """Keep nothing of a runner any longer."""


class DatabaseFiles:
    """Files in GridFS, beside what refers to them."""

    def __init__(self, database: Database) -> None:
        self._bucket = database.bucket(ORIGINALS)
        self._files = database.collection(f"{ORIGINALS}.files")
        self._chunks = database.collection(f"{ORIGINALS}.chunks")

    def new_place(self, owner: str) -> ObjectId:
        """As `Files`."""
        return ObjectId()

    async def write(self, place: Place, owner: str, sha256: str, content: bytes) -> None:
        """As `Files`."""
        metadata = {"owner": owner, "sha256": sha256}
        await self._bucket.upload_from_stream_with_id(place, f"{owner}/{sha256}", content, metadata=metadata)

    async def write_along(self, session: Session, owner: str, some: Sequence[tuple[Place, str, bytes]]) -> None:
        """Keep these in a transaction (place, digest, bytes), each as a file of one chunk, as the driver would write it."""
        chunks = [{"files_id": place, "n": 0, "data": content} for place, _, content in some]
        await self._chunks.insert_many(chunks, session=session)
        files = [
            {
                "_id": place,
                "filename": f"{owner}/{sha256}",
                "metadata": {"owner": owner, "sha256": sha256},
                "length": len(content),
                "chunkSize": max(len(content), 1),
                "uploadDate": datetime.now(UTC),
            }
            for place, sha256, content in some
        ]
        await self._files.insert_many(files, session=session)

    async def read(self, place: Place) -> bytes:
        """As `Files`."""
        content = io.BytesIO()
        try:
            await self._bucket.download_to_stream(place, content)
        except NoFile:
            raise NotFound from None
        return content.getvalue()

    async def remove(self, place: Place) -> None:
        """As `Files`; also what a write that was interrupted left there."""
        with contextlib.suppress(NoFile):
            await self._bucket.delete(place)

    async def remove_all(self, owner: str) -> None:
        """As `Files`."""
        async for file in self._files.find({"metadata.owner": owner}, {"_id": 1}):
            await self.remove(file["_id"])
