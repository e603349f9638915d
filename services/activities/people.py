"""What this service holds of a person, to be taken out or removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import msgspec
from msgspec import Struct

from services.activities.domain.activity import Activity, LoadFrom, SaidBy, Source, Summary, Visibility
from services.activities.domain.gear import Gear
from services.activities.domain.privacy import PrivacyZone
from services.activities.domain.sports import Sport
from services.activities.formats import gunzip
from services.activities.handlers.imports import ImportView
from services.activities.store.activities import ActivityStore
from services.activities.store.gear import GearStore
from services.activities.store.imports import ImportStore
from services.activities.store.originals import Damaged
from services.activities.store.sharing import ZoneStore
from services.activities.store.strava_runs import StravaRuns
from services.chassis.holdings import Holding
from services.chassis.people import Belonging, Erased
from services.chassis.problems import NotFound


class TakenActivity(Summary, frozen=True, kw_only=True):
    """An activity with all that its runner said about it. `original` is the path of the file it was read from, if any.

    Where `source` is of kind `strava` that is what Strava told. `said_by` is who said what somebody may say better than the
    file, its runner here or at Strava; what is not in it nobody said. `session` is its place in a file of several sports.
    What is computed from the file (streams, laps, splits, efforts, statistics) is not here: it is computed again from
    the file.
    """

    id: str
    source: Source
    original: str | None
    session: int
    created_at: datetime
    updated_at: datetime
    visibility: Visibility
    gear_id: str | None
    perceived_exertion: int | None
    said_by: SaidBy
    strava_id: str | None
    load: float | None
    load_from: LoadFrom | None


class TakenGear(Struct, frozen=True, kw_only=True):
    """A piece of gear. `retired` is what its owner says; how far it has come is the sum of the activities that name it."""

    id: str
    kind: str
    name: str
    distance_m: float
    activities: int
    retire_at_m: float | None
    retired: bool
    default_for: tuple[Sport, ...]
    created_at: datetime
    updated_at: datetime


class TakenZone(Struct, frozen=True, kw_only=True):
    """A privacy zone as its runner asked for it. What is hidden is a wider circle beside it, which is told nobody."""

    id: str
    name: str
    lat: float
    lon: float
    radius_m: int
    created_at: datetime


class TakenRemovals(Struct, frozen=True, kw_only=True):
    """Strava's ids of what its runner removed here, so that it does not come back."""

    strava_ids: list[str]


class TakenImport(ImportView, frozen=True):
    """An archive that was imported: how many files became what, and why some did not. The archive itself is not kept."""


@dataclass(frozen=True, slots=True)
class RunnersActivities:
    """A runner's activities, the files they came in, gear, and imports."""

    holdings: ClassVar[tuple[Holding, ...]] = (
        Holding("gear/*.json", "A piece of gear", TakenGear),
        Holding("activities/*.json", "An activity, with its runner's corrections", TakenActivity),
        Holding("privacy-zones/*.json", "A place that others see nothing of", TakenZone),
        Holding("imports/*.json", "An archive that was imported lately, and what became of it", TakenImport),
        Holding("strava-removed.json", "Activities of Strava that came and were removed here", TakenRemovals),
        Holding(
            "originals/*", "A file as it was uploaded, or what Strava told, under its SHA-256; activities name theirs"
        ),
    )

    store: ActivityStore
    gear: GearStore
    imports: ImportStore
    zones: ZoneStore
    strava_runs: StravaRuns

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """All gear, then every activity, each after the file it came in; a file of several activities comes once."""
        for gear in await self.gear.all_of(sub):
            yield Belonging(f"gear/{gear.id}.json", msgspec.json.encode(_taken_gear(gear)))
        for zone in await self.zones.all_of(sub):
            yield Belonging(f"privacy-zones/{zone.id}.json", msgspec.json.encode(_taken_zone(zone)))
        for one in await self.imports.recent(sub):
            yield Belonging(f"imports/{one.id}.json", msgspec.json.encode(TakenImport.of(one)))
        if removed := await self.strava_runs.removed(sub):
            yield Belonging("strava-removed.json", msgspec.json.encode(TakenRemovals(strava_ids=removed)))
        paths: dict[str, str] = {}
        async for activity in self.store.all_of(sub):
            sha256 = activity.source.sha256
            if sha256 is not None and sha256 not in paths:
                try:
                    _, content = await self.store.original(sub, activity.id)
                except (NotFound, Damaged):  # what was said of it is theirs all the same
                    pass
                else:
                    paths[sha256] = _path_of(activity.source, content)
                    yield Belonging(paths[sha256], content)
            taken = _taken(activity, paths.get(sha256 or ""))
            yield Belonging(f"activities/{activity.id}.json", msgspec.json.encode(taken))

    async def erase(self, sub: str) -> Erased:
        """Remove it all."""
        await self.imports.remove_all(sub)
        await self.zones.remove_all(sub)
        await self.store.remove_all(sub)
        return Erased()


def _path_of(source: Source, content: bytes) -> str:
    """Where a file is in the archive; a zipped one says so, whatever name it was sent under. What Strava told is JSON."""
    return f"originals/{source.sha256}.{source.format or 'json'}" + (".gz" if content.startswith(gunzip.MAGIC) else "")


def _taken(activity: Activity, original: str | None) -> TakenActivity:
    """The activity without whose it is and its place in our bookkeeping."""
    known = msgspec.structs.asdict(activity)
    fields = {name: known[name] for name in TakenActivity.__struct_fields__ if name in known}
    return TakenActivity(**fields, original=original)


def _taken_gear(gear: Gear) -> TakenGear:
    known = msgspec.structs.asdict(gear)
    fields = {name: known[name] for name in TakenGear.__struct_fields__ if name in known}
    return TakenGear(**fields, distance_m=gear.distance_m, retired=gear.withdrawn)


def _taken_zone(zone: PrivacyZone) -> TakenZone:
    circle = zone.circle
    return TakenZone(
        id=zone.id,
        name=zone.name,
        lat=circle.lat,
        lon=circle.lon,
        radius_m=round(circle.radius_m),
        created_at=zone.created_at,
    )
