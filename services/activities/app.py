"""The composition root of activities."""

from __future__ import annotations

import os
import secrets

from services.activities import events
from services.activities.archives import zips
from services.activities.handlers import INTERNAL_ROUTES, ROUTES
from services.activities.parsers.pool import Limits, ParserPool
from services.activities.people import RunnersActivities
from services.activities.settings import ActivitiesSettings
from services.activities.store.activities import ActivityStore
from services.activities.store.archives import Archives
from services.activities.store.finding import Finder
from services.activities.store.gear import GearStore
from services.activities.store.imports import ImportStore
from services.activities.store.migrations import MIGRATIONS
from services.activities.store.originals import Originals
from services.activities.store.shape import COLLECTIONS
from services.activities.store.sharing import Shares, ZoneStore
from services.activities.store.stamps import Stamps
from services.activities.store.strava_runs import StravaRuns
from services.activities.usecases import UseCases
from services.activities.usecases.add_by_hand import AddByHand
from services.activities.usecases.bring_archive import BringArchive
from services.activities.usecases.correct_activity import CorrectActivity
from services.activities.usecases.export import GpxOf, ListAsCsv
from services.activities.usecases.follow_import import FollowImports
from services.activities.usecases.import_file import ImportFile
from services.activities.usecases.in_their_sports import InTheirSports
from services.activities.usecases.keep_gear import KeepGear
from services.activities.usecases.keep_zones import KeepZones
from services.activities.usecases.look_along import BestEffortsOf, LapsOf, OriginalOf, SplitsOf, StreamsOf, ZonesOf
from services.activities.usecases.look_up import ListActivities, ReadActivity
from services.activities.usecases.name_gear import NameGear
from services.activities.usecases.remove_activity import RemoveActivity
from services.activities.usecases.run_imports import RunImports
from services.activities.usecases.share import SharedActivities, ShareLinkOf
from services.activities.usecases.sum_up import FitnessOf, RecordsOf, SumUp
from services.activities.usecases.take_from_strava import TakeFromStrava
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import Database
from services.chassis.service import Built, Chassis, Check, Service
from services.chassis.settings import WrongSetting


async def build(chassis: Chassis, settings: ActivitiesSettings) -> Built:
    """Start the workers, and wire the rest."""
    parsers = ParserPool(
        Limits(
            workers=settings.parser_workers or max(1, cores() // chassis.process.workers),
            file_s=settings.parser_timeout_s,
            memory_mib=settings.parser_memory_mib,
            waiting=settings.parser_queue,
        ),
        log=chassis.log,
        metrics=chassis.metrics,
    )
    parsers.start()
    originals, checks = await originals_in(chassis.database, settings, chassis.metrics, chassis.log)
    gear = GearStore(chassis.database)
    store = ActivityStore(chassis.database, originals, gear, chassis.bus.outbox, chassis.tombstones)
    finder = Finder(chassis.database)
    await events.listen(chassis.bus, store.learn)
    shares, zones = Shares(chassis.database), ZoneStore(chassis.database)
    keep_zones = KeepZones(zones, chassis.tombstones, chassis.secrets.derive("privacy-zones"), new_id, chassis.clock)
    in_their_sports = InTheirSports(parsers, store)
    strava_runs, name_gear = StravaRuns(chassis.database), NameGear(gear, new_id, chassis.clock)
    archives = Archives(chassis.database)
    imports = ImportStore(chassis.database, archives, chassis.bus.outbox)
    may_hold = zips.Limits(settings.import_members, settings.import_expanded_gib * zips.GIB)
    running = RunImports(
        archives=archives,
        imports=imports,
        parsers=parsers,
        originals=originals,
        store=store,
        in_their_sports=in_their_sports,
        strava_runs=strava_runs,
        name_gear=name_gear,
        zones=keep_zones,
        live=chassis.live,
        limits=may_hold,
        new_id=new_id,
        clock=chassis.clock,
        log=chassis.log,
        metrics=chassis.metrics,
    )
    await chassis.bus.work(events.IMPORTS, running, concurrency=settings.imports_at_once)

    async def close() -> None:
        await running.stop()
        await parsers.close()

    return Built(
        uses=UseCases(
            import_file=ImportFile(parsers, originals, store, new_id, chassis.clock, chassis.log, chassis.metrics),
            add_by_hand=AddByHand(store, new_id, chassis.clock),
            list_activities=ListActivities(finder),
            read_activity=ReadActivity(store),
            correct_activity=CorrectActivity(store, parsers, chassis.clock),
            remove_activity=RemoveActivity(store),
            streams_of=StreamsOf(store),
            laps_of=LapsOf(store),
            splits_of=SplitsOf(store),
            best_efforts_of=BestEffortsOf(store),
            zones_of=ZonesOf(store),
            original_of=OriginalOf(store),
            sum_up=SumUp(finder),
            records_of=RecordsOf(finder),
            fitness_of=FitnessOf(finder, chassis.clock),
            gear=KeepGear(gear, chassis.tombstones, new_id, chassis.clock),
            zones=keep_zones,
            share_link_of=ShareLinkOf(shares),
            shared=SharedActivities(store, shares, zones),
            gpx_of=GpxOf(store),
            list_as_csv=ListAsCsv(finder),
            bring_archive=BringArchive(
                archives,
                imports,
                chassis.tombstones,
                may_hold,
                settings.imports_each,
                new_id,
                chassis.clock,
                chassis.log,
            ),
            imports=FollowImports(imports, chassis.live, chassis.clock),
            take_from_strava=TakeFromStrava(
                parsers,
                originals,
                store,
                in_their_sports,
                strava_runs,
                name_gear,
                chassis.tombstones,
                new_id,
                chassis.clock,
                chassis.log,
                chassis.metrics,
            ),
        ),
        checks={"parsers": parsers.check, **checks},
        jobs=(lambda: originals.sweep_for_ever(chassis.log), running.look_after),
        close=close,
        people=RunnersActivities(store, gear, imports, zones, strava_runs),
        stamp_of=Stamps(chassis.database),
    )


async def originals_in(
    database: Database, settings: ActivitiesSettings, metrics: Metrics, log: Logger
) -> tuple[Originals, dict[str, Check]]:
    """The files as they came, where they are kept by these settings, and whether that is well. Raises `WrongSetting`."""
    if not settings.originals_url:
        originals = Originals(database)
        if used := await originals.buckets():
            raise WrongSetting(f"Set RUNNERLY_ORIGINALS_URL: there are files in {', '.join(used)}")
        return originals, {}
    if bool(settings.s3_access_key_id) != bool(settings.s3_secret_access_key):
        raise WrongSetting("Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither to have a role's")
    from services.activities.store.s3 import Location, S3Files  # noqa: PLC0415 - takes memory where it is not needed

    location = Location(
        url=settings.originals_url,
        region=settings.s3_region,
        endpoint=settings.s3_endpoint,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key,
    )
    bucket = S3Files(location, "activities", metrics, log)
    originals = Originals(database, bucket)
    await originals.note_bucket(settings.originals_url)
    return originals, {"originals": bucket.check}


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_hex(12)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


PREFIXES = ("activities", "stats", "gear", "imports", "shared", "privacy-zones")
SERVICE = Service(
    name="activities",
    summary="Runs: files, summaries, streams, laps, splits, zones, statistics, records, fitness.",
    prefixes=tuple(f"/api/v1/{name}" for name in PREFIXES),
    routes=ROUTES,
    internal_routes=INTERNAL_ROUTES,
    settings=ActivitiesSettings,
    collections=COLLECTIONS,
    migrations=MIGRATIONS,
    build=build,
    people=RunnersActivities,
)
