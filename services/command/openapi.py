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
    """Write the OpenAPI 3.1 document of every service."""
    folder.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, document in documents().items():
        path = folder / name
        if not path.exists() or path.read_bytes() != document:
            stale.append(name)
            if not check:
                path.write_bytes(document)
    if check and stale:
        click.echo(f"Stale: {', '.join(stale)}. Run `runnerly openapi`.", err=True)
        sys.exit(1)
    click.echo(f"{len(documents())} documents, {len(stale)} changed")
