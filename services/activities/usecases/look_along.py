"""Looking along an activity: its streams, its parts, and the file it came in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.activities.domain.activity import Activity
from services.activities.domain.efforts import Effort
from services.activities.domain.segments import Segment
from services.activities.domain.streams import NO_STREAMS, Streams
from services.activities.domain.zones import Zone, zones
from services.activities.packing import unpack
from services.activities.shapes import downsampled
from services.activities.store.activities import ActivityStore
from services.chassis.problems import NotFound

QUICK_BYTES = 256 * 1024  # packed; more than this is unpacked beside the event loop


@dataclass(frozen=True, slots=True)
class StreamsOf:
    """What was measured along an activity."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str, series: Sequence[str], points: int) -> Streams:
        """These series in so many points at most; empty where nothing was measured. Raises `NotFound`."""
        packed = await self.store.columns(owner, activity_id)
        if not packed:
            return NO_STREAMS
        if len(packed) < QUICK_BYTES:
            return _chart(packed, series, points)
        return await asyncio.to_thread(_chart, packed, series, points)


def _chart(packed: bytes, series: Sequence[str], points: int) -> Streams:
    return downsampled(unpack(packed).only(series), points)


@dataclass(frozen=True, slots=True)
class LapsOf:
    """The laps of an activity."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str) -> Sequence[Segment]:
        """In their order. Raises `NotFound`."""
        return (await self.store.breakdowns(owner, activity_id, "laps")).laps


@dataclass(frozen=True, slots=True)
class SplitsOf:
    """The kilometres, or miles, of an activity."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str, unit: str) -> Sequence[Segment]:
        """In their order; the last is what was left over. Raises `NotFound`."""
        return (await self.store.breakdowns(owner, activity_id, f"splits.{unit}")).splits.get(unit, ())


@dataclass(frozen=True, slots=True)
class BestEffortsOf:
    """The fastest stretches inside an activity."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str) -> Sequence[Effort]:
        """The shortest distance first. Raises `NotFound`."""
        return (await self.store.breakdowns(owner, activity_id, "best_efforts")).best_efforts


@dataclass(frozen=True, slots=True)
class ZonesOf:
    """For how long the heart beat in which zone."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str) -> Sequence[Zone]:
        """By the runner's profile as it is now; none where it, or the heart rate, is not known. Raises `NotFound`."""
        activity, rates = await self.store.heart_rates(owner, activity_id)
        return zones(rates, await self.store.physiology(owner), activity.local_date)


@dataclass(frozen=True, slots=True)
class OriginalOf:
    """The file that an activity came in."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str) -> tuple[Activity, bytes]:
        """The activity, and the very bytes. Raises `NotFound`, also where it came in no file."""
        activity, content = await self.store.original(owner, activity_id)
        if activity.source.kind != "file":
            raise NotFound("It came in no file")
        return activity, content
