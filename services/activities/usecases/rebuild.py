"""Reading every file, and what Strava told, anew: a better reader's numbers replace an older one's, while they are served.

What runners said stays: titles, descriptions, sports, gear, who may see it. An interrupted rebuild goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from services.activities.domain.problems import NotAnActivity
from services.activities.parsers.pool import ParserPool
from services.activities.store.activities import ActivityStore
from services.activities.store.originals import Damaged, Originals
from services.activities.store.rebuilds import Files, Place, Rebuilds
from services.chassis.problems import NotFound

AT_ONCE = 8
_BEHIND_ALL = "~"  # behind every id of a file


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Read all files of all runners anew."""

    parsers: ParserPool
    originals: Originals
    store: ActivityStore
    rebuilds: Rebuilds

    async def __call__(self, report: Callable[[Place], None]) -> Place:
        """Until the end; returns what was done, and tells it after every few files."""
        place = await self.rebuilds.place()
        for owner, activities in await self.rebuilds.owners():
            finished = owner == place.owner and place.original == _BEHIND_ALL
            if owner >= place.owner and activities and not finished:
                place = await self._rebuild_runner(owner, place, report)
        await self.rebuilds.finish()
        return place

    async def _rebuild_runner(self, owner: str, place: Place, report: Callable[[Place], None]) -> Place:
        files = await self.rebuilds.files(owner)
        if place.owner == owner:
            files = [one for one in files if str(one.place) > place.original]
        for begin in range(0, len(files), AT_ONCE):
            some = files[begin : begin + AT_ONCE]
            outcomes = await asyncio.gather(*(self._rebuild_file(owner, one) for one in some))
            place = _after(place, owner, some, outcomes)
            await self.rebuilds.keep(place)
            report(place)
        await self.store.weigh_all(owner)
        await self.store.settle(owner)
        place = msgspec.structs.replace(place, owner=owner, original=_BEHIND_ALL)
        await self.rebuilds.keep(place)
        return place

    async def _rebuild_file(self, owner: str, files: Files) -> int | None:
        """How many activities are different now; None where the file can't be read."""
        sports = {session: sport for _, session, sport in files.activities}
        try:
            content = await self.originals.read(files.place, files.sha256)
            parsed = await self.parsers.parse(content, sports)
        except (NotAnActivity, NotFound, Damaged):
            return None
        changed = 0
        for activity_id, session, _ in files.activities:
            if reading := parsed.session(session):
                try:
                    changed += await self.store.read_anew(owner, activity_id, reading)
                except NotFound:  # removed in the meantime
                    continue
        return changed


def _after(place: Place, owner: str, files: Sequence[Files], outcomes: Sequence[int | None]) -> Place:
    """Where a rebuild is after these files."""
    return Place(
        owner=owner,
        original=str(files[-1].place),
        done=place.done + sum(len(one.activities) for one in files),
        changed=place.changed + sum(outcome or 0 for outcome in outcomes),
        failed=place.failed + sum(outcome is None for outcome in outcomes),
    )
