"""`runnerly audit`: whether the audit trail is what was written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from services.accounts.app import SERVICE
from services.accounts.domain.trail import faults
from services.accounts.store.trail import Trail
from services.chassis.audit import Auditor
from services.chassis.mongo import Database, Mongo
from services.chassis.secrets import Secrets, read_secrets
from services.chassis.settings import ProcessSettings
from services.command.keys import with_database


@click.group()
def audit() -> None:
    """Look whether anybody has touched the audit trail."""


@audit.command(name="verify")
def verify() -> None:
    """Look whether the audit trail is what was written, and say where it is not; then exit with 1.

    It can't see when the newest entries were cut off and the head with them: compare the number and seal that it prints
    with the last `audit.recorded` in logs that are kept elsewhere.
    """

    async def run(process: ProcessSettings, mongo: Mongo) -> None:
        box = read_secrets(process)
        entries, wrong = await examine(mongo.database(SERVICE.database), box)
        for fault in wrong:
            click.echo(fault, err=True)
        if wrong:
            raise click.ClickException("The audit trail is not what was written")
        head = await _trail(mongo.database(SERVICE.database), box).head()
        click.echo(f"{entries} entries, whole; the last is {head.number}, {head.seal}")

    with_database(run)


async def examine(database: Database, box: Secrets) -> tuple[int, list[str]]:
    """How many entries there are, and what is wrong with them. Who writes meanwhile makes no fault."""
    trail, now = _trail(database, box), datetime.now(UTC)
    head = await trail.head()
    entries = [entry async for entry in trail.all() if entry.number <= head.number]
    return len(entries), list(faults(entries, head, trail.mac, now))


def _trail(database: Database, box: Secrets) -> Trail:
    return Trail(database, Auditor(SERVICE.name, box), timedelta(), lambda: datetime.now(UTC))
