"""`runnerly schemas`: write the JSON Schemas of a takeout that are committed, or check that they are fresh."""

from __future__ import annotations

from pathlib import Path

import click

from services.chassis.holdings import schema_file
from services.command import committed, street

FOLDER = Path("docs/takeout")


def documents() -> dict[str, bytes]:
    """The schemas by file name: the very files that are in an archive."""
    return {
        f"{service.name}.schema.json": schema_file(service.name, service.people.holdings)
        for service in street.street()
        if service.people
    }


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--check", is_flag=True, help="Write nothing; fail where a schema is stale.")
def schemas(folder: Path, check: bool) -> None:
    """Write the JSON Schema of each service's part of a takeout."""
    committed.settle(folder, "*.schema.json", documents(), check=check, remedy="runnerly schemas")
