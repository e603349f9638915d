"""Sharing: the link to a public activity, and what whoever has it sees."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from services.activities.domain.activity import Activity
from services.activities.domain.analysis import Analysis
from services.activities.domain.privacy import Circle, Shown, circles_of, hidden_rows, shown
from services.activities.domain.streams import NO_STREAMS, Streams
from services.activities.formats.gpx_writing import gpx_of, has_places, no_breaks
from services.activities.packing import unpack
from services.activities.shapes import rows_of_shape
from services.activities.store.activities import ActivityStore
from services.activities.store.sharing import Share, Shares, ZoneStore
from services.activities.usecases.export import beside
from services.chassis.problems import NotFound

KEPT = 16


@dataclass(frozen=True, slots=True)
class ShareLinkOf:
    """The link to an activity."""

    shares: Shares

    async def __call__(self, owner: str, activity_id: str) -> Share:
        """Raises `NotFound`, also where it is not public."""
        return await self.shares.of(owner, activity_id)


@dataclass(frozen=True, slots=True)
class SharedActivities:
    """Activities as those see them who have the link.

    What an activity is without its hidden parts takes a while to compute: the last few are kept, each for as long as
    the activity and the zones are what they were.
    """

    store: ActivityStore
    shares: Shares
    zones: ZoneStore
    _kept: OrderedDict[tuple[str, int, tuple[Circle, ...]], Shown] = field(default_factory=OrderedDict)

    async def __call__(self, secret: str) -> Shown:
        """The activity behind a link. Raises `NotFound`."""
        share = await self.shares.find(secret)
        activity = await self.store.read(share.owner, share.activity_id)
        if activity.visibility != "public":
            raise NotFound
        circles = circles_of(await self.zones.all_of(share.owner))
        key = activity.id, activity.version, circles
        if key not in self._kept:
            self._kept[key] = await self._shown(activity, circles)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    async def gpx(self, secret: str) -> tuple[Shown, AsyncIterator[bytes]]:
        """What is seen, and the pieces of it as GPX. Raises `NotFound`, also where no place is seen."""
        seen = await self(secret)
        if seen.analysis is None or seen.analysis.streams is None or not has_places(seen.analysis.streams):
            raise NotFound("No places are shown of this activity")
        return seen, beside(gpx_of(seen.analysis.streams, seen.breaks, seen.analysis.summary))

    async def _shown(self, activity: Activity, circles: tuple[Circle, ...]) -> Shown:
        packed = await self.store.columns(activity.owner, activity.id)
        streams = await asyncio.to_thread(unpack, packed) if packed else None
        if streams is not None:
            hidden = hidden_rows(streams, circles)
            if hidden.any():
                return await asyncio.to_thread(shown, activity, streams, hidden, rows_of_shape)
        return await self._all_of(activity, streams)

    async def _all_of(self, activity: Activity, streams: Streams | None) -> Shown:
        """An activity of which nothing is hidden."""
        parts = await self.store.breakdowns(activity.owner, activity.id, "laps", "splits", "best_efforts")
        analysis = Analysis(
            activity.source.format or "gpx", activity, streams, parts.laps, parts.splits, parts.best_efforts
        )
        return Shown(activity, analysis, no_breaks(streams or NO_STREAMS))
