"""What was measured along an activity, its parts, and its file."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from services.activities.domain.efforts import Effort
from services.activities.domain.recording import SERIES
from services.activities.domain.segments import Segment
from services.activities.domain.zones import Zone
from services.activities.formats import gunzip
from services.activities.handlers.activities import PATH, READ
from services.activities.handlers.views import StreamsView
from services.activities.usecases import UseCases
from services.chassis.answers import Answer, File, Items, Stream
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import Invalid

ONE = f"{PATH}/{{activity_id}}"
MEDIA_TYPES = {
    "fit": "application/vnd.ant.fit",
    "gpx": "application/gpx+xml",
    "tcx": "application/vnd.garmin.tcx+xml",
}


class StreamsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which series, and in how many points."""

    series: (
        Annotated[str, Meta(max_length=200, description=f"Some of {', '.join(SERIES)}, with commas; all unless given")]
        | None
    ) = None
    points: Annotated[int, Meta(ge=2, le=50_000, description="How many points at the most")] = 500


class SplitsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """In which unit."""

    unit: Literal["km", "mi"] = "km"


class ActivityStreams(Endpoint[UseCases]):
    """What was measured along an activity."""

    @operation("readStreams", scope=READ, kept=True)
    async def get(self, activity_id: str, query: StreamsQuery) -> Answer[StreamsView]:
        """Read streams: parallel columns, in fewer points of the same shape where there are more."""
        series = named_series(query.series)
        streams = await self.uses.streams_of(self.caller.sub, activity_id, series, query.points)
        return Answer(StreamsView.of(streams))


class Laps(Endpoint[UseCases]):
    """The laps of an activity."""

    @operation("listLaps", scope=READ, kept=True)
    async def get(self, activity_id: str) -> Items[Segment]:
        """List the laps that the device counted; one, the whole, where it counted none."""
        return Items(list(await self.uses.laps_of(self.caller.sub, activity_id)))


class Splits(Endpoint[UseCases]):
    """The kilometres, or miles, of an activity."""

    @operation("listSplits", scope=READ, kept=True)
    async def get(self, activity_id: str, query: SplitsQuery) -> Items[Segment]:
        """List kilometres or miles; the last is what was left over."""
        return Items(list(await self.uses.splits_of(self.caller.sub, activity_id, query.unit)))


class BestEfforts(Endpoint[UseCases]):
    """The fastest stretches of an activity."""

    @operation("listBestEfforts", scope=READ, kept=True)
    async def get(self, activity_id: str) -> Items[Effort]:
        """List the fastest stretch of each usual distance that the activity is long enough for."""
        return Items(list(await self.uses.best_efforts_of(self.caller.sub, activity_id)))


class Zones(Endpoint[UseCases]):
    """Heart-rate zones of an activity."""

    @operation("listZones", scope=READ)
    async def get(self, activity_id: str) -> Items[Zone]:
        """List for how long the heart beat from `from_bpm` to under `to_bpm`, by the profile as it is now.

        Zones 2 to 5 begin at 60, 70, 80 and 90 % of the heart-rate reserve, or of the highest heart rate where the one
        at rest is not told. None are given where the profile tells neither the highest one nor the date of birth.
        """
        return Items(list(await self.uses.zones_of(self.caller.sub, activity_id)))


class Original(Endpoint[UseCases]):
    """The file an activity came in."""

    @operation("downloadOriginal", scope=READ)
    async def get(self, activity_id: str) -> File:
        """Download the very bytes that were sent."""
        activity, content = await self.uses.original_of(self.caller.sub, activity_id)
        kind = activity.source.format or "fit"
        packed = content.startswith(gunzip.MAGIC)
        name = activity.source.name or f"{activity.id}.{kind}{'.gz' if packed else ''}"
        return File(content, "application/gzip" if packed else MEDIA_TYPES[kind], name)


class GpxExport(Endpoint[UseCases]):
    """An activity as GPX."""

    @operation("exportGpx", scope=READ)
    async def get(self, activity_id: str) -> Stream:
        """Download an activity as GPX 1.1, with heart rate, cadence, speed and power in Garmin's extensions."""
        activity, pieces = await self.uses.gpx_of(self.caller.sub, activity_id)
        return Stream(pieces, MEDIA_TYPES["gpx"], f"{activity.local_date} {activity.title}.gpx")


def named_series(given: str | None) -> tuple[str, ...]:
    """The series in a list with commas; all of them where none is given. Raises `Invalid` for an unknown one."""
    if given is None:
        return SERIES
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    unknown = [name for name in names if name not in SERIES and name != "time"]
    if unknown:
        raise Invalid.field("series", f"There is no series {unknown[0]!r}, only {', '.join(SERIES)}")
    return names


ROUTES = (
    Route(f"{ONE}/streams", ActivityStreams),
    Route(f"{ONE}/laps", Laps),
    Route(f"{ONE}/splits", Splits),
    Route(f"{ONE}/best-efforts", BestEfforts),
    Route(f"{ONE}/zones", Zones),
    Route(f"{ONE}/original", Original),
    Route(f"{ONE}/export.gpx", GpxExport),
)
