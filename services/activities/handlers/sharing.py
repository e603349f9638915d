"""Sharing: the link to an activity, what is seen there, and the zones that are not."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct

from services.activities.domain.efforts import Effort
from services.activities.domain.geodesy import Bounds
from services.activities.domain.privacy import NewZone, PrivacyZone, Shown
from services.activities.domain.segments import Segment
from services.activities.domain.sports import Sport
from services.activities.domain.streams import NO_STREAMS
from services.activities.handlers.activities import PATH, READ, WRITE
from services.activities.handlers.along import MEDIA_TYPES, SplitsQuery, StreamsQuery, named_series
from services.activities.handlers.views import StreamsView
from services.activities.shapes import downsampled
from services.activities.usecases import UseCases
from services.chassis.answers import Answer, Items, Page, Stream
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.operations import operation
from services.chassis.paging import PageQuery

SHARED = "/api/v1/shared"
ZONES = "/api/v1/privacy-zones"
# A link is for whoever has it: neither for caches, nor for search engines, nor for sites that are linked from there.
DISCREET = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


class ShareView(Struct, frozen=True):
    """The link to a public activity; `path` is where its data is."""

    secret: str
    path: str


class SharedView(Struct, frozen=True):
    """A shared activity. Where `partly_hidden`, all numbers are of the rest; they are null where nothing is left."""

    sport: Sport
    title: str
    description: str | None
    timezone: str
    partly_hidden: bool
    started_at: datetime | None
    local_date: date | None
    distance_m: float | None
    elapsed_s: float | None
    moving_s: float | None
    ascent_m: float | None
    descent_m: float | None
    average_speed_mps: float | None
    max_speed_mps: float | None
    average_heart_rate_bpm: float | None
    max_heart_rate_bpm: float | None
    average_cadence_spm: float | None
    average_power_w: float | None
    grade_adjusted_speed_mps: float | None
    polyline: str | None
    bounds: Bounds | None

    @classmethod
    def of(cls, seen: Shown) -> SharedView:
        """The view of what is seen."""
        said, summary = seen.activity, seen.analysis.summary if seen.analysis else None
        numbers = {name: getattr(summary, name) if summary else None for name in cls.__struct_fields__[5:]}
        return cls(said.sport, said.title, said.description, said.timezone, summary is not said, **numbers)


class ZoneView(Struct, frozen=True):
    """A privacy zone. Others see nothing within about twice `radius_m`."""

    id: str
    name: str
    lat: float
    lon: float
    radius_m: int

    @classmethod
    def of(cls, zone: PrivacyZone) -> ZoneView:
        """The view of a zone; where the hidden circle lies, not even its owner is told."""
        return cls(zone.id, zone.name, zone.circle.lat, zone.circle.lon, round(zone.circle.radius_m))


class ShareLink(Endpoint[UseCases]):
    """The link to an activity."""

    @operation("readShareLink", scope=READ)
    async def get(self, activity_id: str) -> ShareView:
        """Read the link to an activity that is public; a private one has none."""
        share = await self.uses.share_link_of(self.caller.sub, activity_id)
        return ShareView(share.secret, f"{SHARED}/{share.secret}")


class Shared(Endpoint[UseCases]):
    """A shared activity."""

    @operation("readShared", scope=None)
    async def get(self, secret: str) -> Answer[SharedView]:
        """Read what is shared of an activity. No sign-in is needed: who has the link may."""
        return Answer(SharedView.of(await self.uses.shared(secret)), headers=DISCREET)


class SharedStreams(Endpoint[UseCases]):
    """What was measured along a shared activity."""

    @operation("readSharedStreams", scope=None)
    async def get(self, secret: str, query: StreamsQuery) -> Answer[StreamsView]:
        """Read the streams of what is shared."""
        series, analysis = named_series(query.series), (await self.uses.shared(secret)).analysis
        streams = (analysis.streams if analysis else None) or NO_STREAMS
        return Answer(StreamsView.of(downsampled(streams.only(series), query.points)), headers=DISCREET)


class SharedLaps(Endpoint[UseCases]):
    """The laps of a shared activity."""

    @operation("listSharedLaps", scope=None)
    async def get(self, secret: str) -> Answer[Items[Segment]]:
        """List the laps; one, the whole, where a part is hidden."""
        analysis = (await self.uses.shared(secret)).analysis
        return Answer(Items(list(analysis.laps if analysis else ())), headers=DISCREET)


class SharedSplits(Endpoint[UseCases]):
    """The kilometres, or miles, of a shared activity."""

    @operation("listSharedSplits", scope=None)
    async def get(self, secret: str, query: SplitsQuery) -> Answer[Items[Segment]]:
        """List kilometres or miles, from where it is seen to begin."""
        analysis = (await self.uses.shared(secret)).analysis
        splits = (analysis.splits or {}).get(query.unit, ()) if analysis else ()
        return Answer(Items(list(splits)), headers=DISCREET)


class SharedBestEfforts(Endpoint[UseCases]):
    """The fastest stretches of a shared activity."""

    @operation("listSharedBestEfforts", scope=None)
    async def get(self, secret: str) -> Answer[Items[Effort]]:
        """List the fastest stretches of what is seen."""
        analysis = (await self.uses.shared(secret)).analysis
        return Answer(Items(list(analysis.best_efforts if analysis else ())), headers=DISCREET)


class SharedGpx(Endpoint[UseCases]):
    """A shared activity as GPX."""

    @operation("exportSharedGpx", scope=None)
    async def get(self, secret: str) -> Stream:
        """Download what is seen as GPX. The original is never given to others."""
        seen, pieces = await self.uses.shared.gpx(secret)
        return Stream(pieces, MEDIA_TYPES["gpx"], f"{seen.activity.title}.gpx", DISCREET)


class Zones(Endpoint[UseCases]):
    """All privacy zones of a runner."""

    @operation("listPrivacyZones", scope=READ)
    async def get(self, query: PageQuery) -> Page[ZoneView]:
        """List privacy zones, by name."""
        return self.page_of_all(query, [ZoneView.of(zone) for zone in await self.uses.zones.list(self.caller.sub)])

    @operation("addPrivacyZone", scope=WRITE, status=201)
    async def post(self, body: NewZone, once: Once[PrivacyZone]) -> Answer[ZoneView]:
        """Add a privacy zone: from now on others see nothing of any shared activity around there."""
        return added(await self.uses.zones.add(self.caller.sub, body, once.answering(added)))


class OneZone(Endpoint[UseCases]):
    """One privacy zone."""

    @operation("removePrivacyZone", scope=WRITE)
    async def delete(self, zone_id: str) -> None:
        """Remove a privacy zone."""
        await self.uses.zones.remove(self.caller.sub, zone_id)


def added(zone: PrivacyZone) -> Answer[ZoneView]:
    """A new zone as an answer."""
    return Answer(ZoneView.of(zone))


ROUTES = (
    Route(f"{PATH}/{{activity_id}}/share", ShareLink),
    Route(f"{SHARED}/{{secret}}", Shared),
    Route(f"{SHARED}/{{secret}}/streams", SharedStreams),
    Route(f"{SHARED}/{{secret}}/laps", SharedLaps),
    Route(f"{SHARED}/{{secret}}/splits", SharedSplits),
    Route(f"{SHARED}/{{secret}}/best-efforts", SharedBestEfforts),
    Route(f"{SHARED}/{{secret}}/export.gpx", SharedGpx),
    Route(ZONES, Zones),
    Route(f"{ZONES}/{{zone_id}}", OneZone),
)
