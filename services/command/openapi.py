"""`runnerly openapi`: write the OpenAPI documents that are committed, or check that they are fresh."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from services.chassis import openapi as generator
from services.command import committed, street

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
    committed.settle(folder, "*.json", documents(), check=check, remedy="runnerly openapi")
