"""`runnerly migrate`: bring every database to its declared shape. A task of its own, never a worker's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

import click

from services.chassis import settings
from services.chassis.bus import mongo as bus
from services.chassis.mongo import Mongo
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings
from services.command import street
from services.command.archives.restoring import check_complete
from services.command.database import connected


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(street.NAMES))
def migrate(names: tuple[str, ...]) -> None:
    """Create collections, validators and indexes, and run what migrations are due (of NAMES, or of all services).

    Safe to run twice, and while the version before serves.
    """
    process = settings.read(ProcessSettings, os.environ)
    services = [street.service(name) for name in names or street.NAMES]
    asyncio.run(_migrate(process, services))


async def _migrate(process: ProcessSettings, services: Sequence[Service]) -> None:
    async with connected(process) as mongo:
        await check_complete(mongo)
        await bring_about(mongo, services, say=click.echo)


async def bring_about(
    mongo: Mongo, services: Sequence[Service], *, say: Callable[[str], object] = lambda _: None
) -> None:
    """Apply what the services and the bus declare; `say` is told what was done to each service's database."""
    await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
    for service in services:
        if not service.needs_database:
            continue
        ran = await mongo.database(service.database).apply(service.all_collections, service.migrations)
        say(f"{service.name}: {', '.join(ran) if ran else 'up to date'}")
