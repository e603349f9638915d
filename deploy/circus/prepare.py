"""`python -m deploy.circus.prepare`: all that must be done before anything serves, in a process that ends with it.

The launcher lives as long as Runnerly and stays small; this reads every service's declaration.
"""

from __future__ import annotations

import asyncio
import sys

import click

from deploy.circus import settings
from deploy.circus.nginx import find_nginx
from deploy.openresty.documents import Documents, read_documents
from deploy.openresty.render import render
from services.chassis.settings import WrongSetting
from services.command import street
from services.command.main import EXIT_CONFIGURATION
from services.command.up import prepare


def main() -> None:
    """Write the door's configuration; make keys and migrate, unless that is a task of its own."""
    ours = settings.read(street.NAMES)
    render(ours.door, find_nginx(ours.circus.nginx), documents())
    if ours.circus.bootstrap:
        asyncio.run(prepare(ours.process))


def documents() -> Documents:
    """What the door lets through."""
    return read_documents(street.NAMES, {service.name: service.assets for service in street.street()})


if __name__ == "__main__":
    try:
        main()
    except WrongSetting as wrong:
        click.echo(f"Runnerly under Circus: {wrong}", err=True)
        sys.exit(EXIT_CONFIGURATION)
