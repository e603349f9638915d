"""`runnerly activities`: look after what is kept of activities."""

from __future__ import annotations

import asyncio
import os

import click

from services.activities.app import SERVICE, cores, originals_in
from services.activities.parsers.pool import Limits, ParserPool
from services.activities.settings import ActivitiesSettings
from services.activities.store.activities import ActivityStore
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.rebuilds import Place, Rebuilds
from services.activities.usecases.move_originals import Moved, MoveOriginals
from services.activities.usecases.rebuild import Rebuild
from services.chassis import settings
from services.chassis.catalogue import MetricCatalogue
from services.chassis.metrics import NoMetrics
from services.chassis.mongo import Database
from services.chassis.problems import Unavailable
from services.chassis.settings import ProcessSettings
from services.command.database import connected, outbox_of
from services.command.logbook import quiet

POLITE = 10  # who serves comes first


@click.group()
def activities() -> None:
    """Look after what is kept of activities."""


@activities.command()
@click.option("--afresh", is_flag=True, help="Begin at the beginning, also where the last rebuild was interrupted.")
@click.option("--workers", type=click.IntRange(1, 64), default=None, help="Processes that read files; one a core.")
def rebuild(*, afresh: bool, workers: int | None) -> None:
    """Read all files anew, and make all numbers of them: after an upgrade that reads better, or to be sure.

    It may be interrupted, goes on where it was, and runs while Runnerly serves. What people said stays.
    """
    process = settings.read(ProcessSettings, os.environ)
    own = settings.read(ActivitiesSettings, os.environ)
    os.nice(POLITE)
    limits = Limits(workers or cores(), own.parser_timeout_s, own.parser_memory_mib, waiting=own.parser_queue)
    try:
        done = asyncio.run(_rebuild(process, own, limits, afresh=afresh))
    except Unavailable as away:
        raise click.ClickException(f"{away}. The next rebuild goes on where this one was") from away
    click.echo(f"{done.done} activities read anew: {done.changed} are different now")
    if done.failed:
        raise click.ClickException(f"{done.failed} files could not be read, and their activities are as they were")


@activities.command("move-files")
@click.option("--to", type=click.Choice(["bucket", "database"]), required=True, help="Where files are to be.")
def move_files(*, to: str) -> None:
    """Move files as they were uploaded into the bucket of RUNNERLY_ORIGINALS_URL, or out of it into the database.

    It may be interrupted, and begun again. Into the bucket it runs while Runnerly serves; out of it, stop Runnerly first,
    and unset the variable when it is done.
    """
    process = settings.read(ProcessSettings, os.environ)
    own = settings.read(ActivitiesSettings, os.environ)
    if not own.originals_url:
        raise click.ClickException("Set RUNNERLY_ORIGINALS_URL: it says which bucket")
    os.nice(POLITE)
    try:
        done = asyncio.run(_move_files(process, own, to_bucket=to == "bucket"))
    except Unavailable as away:
        raise click.ClickException(f"{away}. Begin again: what was moved is there") from away
    click.echo(f"{done.moved} files moved to the {to}")
    if done.bucket_is_empty:
        click.echo("Nothing is in the bucket any more: unset RUNNERLY_ORIGINALS_URL")
    if done.unreadable:
        raise click.ClickException(f"{done.unreadable} files are lost or damaged, and stay where they are")


async def _move_files(process: ProcessSettings, own: ActivitiesSettings, *, to_bucket: bool) -> Moved:
    async with connected(process) as mongo:
        database = mongo.database(SERVICE.database)
        originals, _ = await originals_in(database, own, NoMetrics(MetricCatalogue.read()), quiet())
        rebuilds = Rebuilds(database)
        total = sum(activities for _, activities in await rebuilds.owners())
        with click.progressbar(length=total, label="Activities") as bar:
            return await MoveOriginals(originals, rebuilds)(bar.update, to_bucket=to_bucket)


async def _rebuild(process: ProcessSettings, own: ActivitiesSettings, limits: Limits, *, afresh: bool) -> Place:
    async with connected(process) as mongo:
        database = mongo.database(SERVICE.database)
        metrics = NoMetrics(MetricCatalogue.read())
        originals, _ = await originals_in(database, own, metrics, quiet())
        parsers = ParserPool(limits, log=quiet(), metrics=metrics)
        parsers.start()
        try:
            return await with_bar(database, originals, parsers, afresh=afresh)
        finally:
            await parsers.close()


async def with_bar(database: Database, originals: Originals, parsers: ParserPool, *, afresh: bool) -> Place:
    """Rebuild, and show how far it is."""
    rebuilds = Rebuilds(database)
    store = ActivityStore(database, originals, GearStore(database), outbox_of(database))
    if afresh:
        await rebuilds.finish()
    total = sum(activities for _, activities in await rebuilds.owners())
    with click.progressbar(length=total, label="Activities") as bar:

        def report(place: Place) -> None:
            bar.update(place.done - bar.pos)

        report(await rebuilds.place())
        return await Rebuild(parsers, originals, store, rebuilds)(report)
