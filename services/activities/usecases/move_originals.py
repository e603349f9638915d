"""Moving files as they were uploaded between the database and a bucket, while they are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from services.activities.store.originals import Damaged, Originals
from services.activities.store.rebuilds import Files, Rebuilds
from services.chassis.problems import NotFound

AT_ONCE = 8


class Moved(Struct, frozen=True):
    """How many files were moved, how many could not be read, and whether none at all is in a bucket any more."""

    moved: int
    unreadable: int
    bucket_is_empty: bool


@dataclass(frozen=True, slots=True)
class MoveOriginals:
    """Move the files of all runners. Interrupted, it goes on with those that are not there yet."""

    originals: Originals
    rebuilds: Rebuilds

    async def __call__(self, report: Callable[[int], None], *, to_bucket: bool) -> Moved:
        """Until the end; after every few files it tells of how many activities they are. Raises `Unavailable`."""
        outcomes: list[bool | None] = []
        for owner, _ in await self.rebuilds.owners():
            files = await self.rebuilds.files(owner)
            for begin in range(0, len(files), AT_ONCE):
                some = files[begin : begin + AT_ONCE]
                outcomes += await asyncio.gather(*(self._move(owner, one, to_bucket=to_bucket) for one in some))
                report(sum(len(one.activities) for one in some))
        while await self.originals.sweep():
            pass
        bucket_is_empty = not to_bucket and await self.originals.leave_bucket()
        return Moved(outcomes.count(True), outcomes.count(None), bucket_is_empty)

    async def _move(self, owner: str, files: Files, *, to_bucket: bool) -> bool | None:
        """Whether it was moved; None where it can't be read."""
        try:
            return await self.originals.move(owner, files.place, files.sha256, to_bucket=to_bucket)
        except (NotFound, Damaged):
            return None
