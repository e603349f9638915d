"""Finding of activities that come those that their runner has already, and what becomes of these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from services.activities.domain.activity import Activity
from services.activities.domain.duplicates import START_WITHIN, same_activity
from services.activities.domain.merging import Merged, Words, merged
from services.activities.store.shape import ACTIVITIES, STREAMS
from services.activities.store.strava_runs import StravaRuns
from services.chassis.mongo import Database, Document, Session

_INSTANT = timedelta(milliseconds=1)
_FIELDS = {"started_at": 1, "distance_m": 1, "elapsed_s": 1, "source.sha256": 1, "session": 1}


class Meeting(Struct, frozen=True):
    """An activity that has come again, and what becomes of it; `is_news`: that it is this run of Strava's was not known."""

    existing: Activity
    merged: Merged
    is_news: bool

    @property
    def is_different(self) -> bool:
        """Whether anything is to be kept of what came."""
        return self.is_news or self.merged.takes_data or self.merged.activity != self.existing


class Twins:
    """The activities of all runners, as far as they may come again."""

    def __init__(self, database: Database) -> None:
        self._activities = database.collection(ACTIVITIES)
        self._streams = database.collection(STREAMS)
        self._strava_runs = StravaRuns(database)

    async def of(
        self, owner: str, new: Sequence[Activity], session: Session | None = None, *, beside: Sequence[Activity] = ()
    ) -> dict[str, str]:
        """Which of these the runner has already, or will have beside them: the id it has, by the id of the new one."""
        starts = [one.started_at for one in new]
        # strict, for the reason that `listing` tells
        within = {"$gt": min(starts) - START_WITHIN - _INSTANT, "$lt": max(starts) + START_WITHIN + _INSTANT}
        found = self._activities.find({"owner": owner, "started_at": within}, _FIELDS, session=session)
        known = [*map(_known, beside), *await found.to_list(None)]
        twins = {}
        for one in new:
            twin = await self._linked(one, session) or next(
                (document["_id"] for document in known if _is_twin(one, document)), None
            )
            if twin is not None:
                twins[one.id] = twin
        return twins

    async def meeting(
        self, existing: Activity, new: Activity, words: Words, *, sampled: bool, session: Session | None = None
    ) -> Meeting:
        """What becomes of an activity that has come again; `sampled` says whether it has samples now."""
        found = await self._streams.find_one({"_id": existing.id}, {"points": 1}, session=session)
        is_news = new.strava_id is not None and await self._linked(new, session) != existing.id
        return Meeting(existing, merged(existing, new, words, sampled=(found is not None, sampled)), is_news)

    async def _linked(self, new: Activity, session: Session | None) -> str | None:
        """The activity that a run of Strava's was before."""
        return await self._strava_runs.activity(new.owner, new.strava_id, session) if new.strava_id else None


def _known(activity: Activity) -> Document:
    """As much of an activity as twins are known by."""
    return {
        "_id": activity.id,
        "started_at": activity.started_at,
        "distance_m": activity.distance_m,
        "elapsed_s": activity.elapsed_s,
        "source": {"sha256": activity.source.sha256},
        "session": activity.session,
    }


def _is_twin(activity: Activity, document: Document) -> bool:
    """Whether a known activity is this one: the same session of the same bytes, or of other bytes much the same."""
    sha256 = document.get("source", {}).get("sha256")
    if sha256 is not None and sha256 == activity.source.sha256:
        return bool(document["session"] == activity.session)
    other: tuple[datetime, float, float] = (document["started_at"], document["distance_m"], document["elapsed_s"])
    return same_activity(activity.started_at, activity.distance_m, activity.elapsed_s, other)
