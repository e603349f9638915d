"""`runnerly bus`: look after messages that were given up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import click
import msgspec

from services.chassis import settings
from services.chassis.bus.assembly import make_transport
from services.chassis.bus.transport import BusUnavailable, Parked, Transport
from services.chassis.metrics import NoMetrics
from services.chassis.settings import ProcessSettings
from services.command.database import connected
from services.command.logbook import quiet

T = TypeVar("T")


@click.group()
def bus() -> None:
    """See and replay events and jobs that failed too often (in AMQP_URL, or without it in MONGODB_URI)."""


@bus.command()
@click.option("--queue", help="Only of this queue, as in `events.training` or `jobs.mailer.send`.")
@click.option("--limit", default=100, show_default=True, help="At most so many, the oldest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the messages themselves.")
def parked(queue: str | None, limit: int, as_json: bool) -> None:
    """List what was given up. Without --json no personal data is shown."""
    for message in _ask(lambda transport: transport.parked(queue, limit=limit)):
        click.echo(msgspec.json.encode(message).decode() if as_json else _line(message))


@bus.command()
@click.argument("ids", nargs=-1)
@click.option("--queue", help="All that were parked in this queue.")
@click.option("--all", "everything", is_flag=True, help="All there are.")
def replay(ids: tuple[str, ...], queue: str | None, everything: bool) -> None:
    """Put messages back into their queues: those with these IDS, of a queue, or all."""
    if not (ids or queue or everything):
        raise click.UsageError("Say which: IDS, --queue or --all")
    count = _ask(lambda transport: transport.replay(queue=queue, ids=list(ids) or None))
    click.echo(f"{count} put back")


def _line(message: Parked) -> str:
    kind = message.message.label if message.message else "unreadable"
    error = message.error.partition(":")[0]
    return (
        f"{message.parked_at:%Y-%m-%dT%H:%M:%SZ}  {message.id}  {message.queue}  {kind}  {message.attempts}x  {error}"
    )


def _ask(question: Callable[[Transport], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with _transport() as transport:
            return await question(transport)

    try:
        return asyncio.run(ask())
    except BusUnavailable as unavailable:
        raise click.ClickException(unavailable.detail) from unavailable


@asynccontextmanager
async def _transport() -> AsyncIterator[Transport]:
    process = settings.read(ProcessSettings, os.environ)
    async with connected(process) as mongo:
        transport = make_transport(process.amqp_url, mongo, metrics=NoMetrics(), log=quiet())
        await transport.start()
        try:
            yield transport
        finally:
            await transport.stop()
