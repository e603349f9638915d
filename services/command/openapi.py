"""`runnerly openapi`: write the OpenAPI documents that are committed, or check that they are fresh."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from services.chassis import openapi as generator
from services.command import street

FOLDER = Path("docs/openapi")
CONTRACT_VERSION = "1"


def documents() -> dict[str, bytes]:
    """The documents by file name, as they are to be committed."""
    return {
        f"{service.name}.json": msgspec.json.format(
            msgspec.json.encode(generator.document(service.name, service.summary, CONTRACT_VERSION, service.routes)),
            indent=2,
        )
        + b"\n"
        for service in street.street()
        if service.routes
    }


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--check", is_flag=True, help="Write nothing; fail where a document is stale.")
def openapi(folder: Path, check: bool) -> None:
    """Write the OpenAPI 3.1 document of every service; a document whose service is gone goes too."""
    wanted = documents()
    stale = sorted(name for name, document in wanted.items() if _content(folder / name) != document)
    left_over = sorted(path.name for path in folder.glob("*.json") if path.name not in wanted)
    if check:
        if stale or left_over:
            click.echo(f"Stale: {', '.join([*stale, *left_over])}. Run `runnerly openapi`.", err=True)
            sys.exit(1)
        click.echo(f"{len(wanted)} documents, all fresh")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (folder / name).write_bytes(wanted[name])
    for name in left_over:
        (folder / name).unlink()
    click.echo(f"{len(wanted)} documents, {len(stale)} changed, {len(left_over)} removed")


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
