"""Which of Strava's runs is which activity here, so that one that is told again is the same one, and none that was removed.

One small document a run: found by its id, which makes two that come at once conflict.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.activities.domain.problems import RemovedHere
from services.activities.store.shape import STRAVA_RUNS
from services.chassis.mongo import Database, Document, Session, UpdateOne

AT_ONCE = 500
_REMOVED = None


class StravaRuns:
    """The runs of all runners that Strava told of. They change with activities, in the same transactions."""

    def __init__(self, database: Database) -> None:
        self._runs = database.collection(STRAVA_RUNS)

    async def activity(self, owner: str, strava_id: str, session: Session | None = None) -> str | None:
        """The id of the activity that one is; None where it never came, or was removed."""
        found = await self._find(owner, strava_id, session)
        return found["activity"] if found else None

    async def refuse_removed(self, owner: str, strava_id: str, session: Session | None = None) -> None:
        """Raise `RemovedHere` for one that its runner removed here."""
        found = await self._find(owner, strava_id, session)
        if found is not None and found["activity"] is _REMOVED:
            raise RemovedHere

    async def link(self, session: Session, owner: str, strava_id: str | None, activity_id: str) -> None:
        """Say which activity one of Strava's is from now on; None is none of them."""
        if strava_id is not None:
            name = _id(owner, strava_id)
            document = {"_id": name, "owner": owner, "activity": activity_id}
            await self._runs.replace_one({"_id": name}, document, upsert=True, session=session)

    async def let_go(self, session: Session, activity_id: str) -> None:
        """Remember of the runs that an activity was that their runner removed them."""
        await self._runs.update_many({"activity": activity_id}, {"$set": {"activity": _REMOVED}}, session=session)

    async def removed(self, owner: str) -> list[str]:
        """Strava's ids of all that a runner removed."""
        found = self._runs.find({"owner": owner})
        ids = [one["_id"].removeprefix(_id(owner, "")) async for one in found if one["activity"] is _REMOVED]
        return sorted(ids)

    async def restore_removed(self, owner: str, strava_ids: Iterable[str]) -> None:
        """Take over from elsewhere what a runner removed there; what is here stays."""
        note = {"$setOnInsert": {"owner": owner, "activity": _REMOVED}}
        notes = [UpdateOne({"_id": _id(owner, strava_id)}, note, upsert=True) for strava_id in strava_ids]
        for begin in range(0, len(notes), AT_ONCE):
            await self._runs.bulk_write(notes[begin : begin + AT_ONCE], ordered=False)

    async def remove_all(self, owner: str) -> None:
        """Remove everything of a runner."""
        await self._runs.delete_many({"owner": owner})

    async def _find(self, owner: str, strava_id: str, session: Session | None) -> Document | None:
        found: Document | None = await self._runs.find_one({"_id": _id(owner, strava_id)}, session=session)
        return found


def _id(owner: str, strava_id: str) -> str:
    return f"{owner}/{strava_id}"
