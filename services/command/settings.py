"""`runnerly settings`: every setting there is, as documentation, or as this environment has it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
from msgspec import Struct

from services.chassis.settings import ProcessSettings, describe, effective, read
from services.command import street


def groups() -> Iterator[tuple[str, type[Struct]]]:
    """The settings of every process, then those of each service."""
    yield "every process", ProcessSettings
    for name in (*street.NAMES, street.SANDBOX):
        yield name, street.service(name).settings


@click.command()
@click.option("--effective", "show_effective", is_flag=True, help="The values in force here, secrets masked.")
def settings(show_effective: bool) -> None:
    """List every setting with its meaning and default."""
    for group, type_ in groups():
        described = list(describe(type_))
        if not described:
            continue
        click.secho(group, bold=True)
        values = effective(read(type_, os.environ)) if show_effective else {}
        for setting in described:
            value = values.get(setting.variable, setting.default)
            click.echo(f"  {setting.variable}={value}\n      {setting.description}")
