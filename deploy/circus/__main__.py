"""`python -m deploy.circus up | down | reload`: what `make up`, `make down` and `make reload` run."""

from __future__ import annotations

import os
import signal
import sys
import time

import click

from deploy.circus import settings
from deploy.circus.arbiter import Refused
from deploy.circus.reload import reload_services
from deploy.circus.settings import Settings
from deploy.circus.up import PID_FILE, Failed, Foreground
from services.chassis.settings import WrongSetting
from services.command import street
from services.command.main import EXIT_CONFIGURATION

DOWN_S = 12.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run Runnerly under Circus, behind nginx, on this machine."""


@main.command()
def up() -> None:
    """Start everything in the foreground; Ctrl-C or SIGTERM stops it."""
    sys.exit(Foreground(read()).run())


@main.command()
def down() -> None:
    """Stop the one that runs from this RUNNERLY_HOME."""
    pid_file = read().run / PID_FILE
    try:
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
    except (OSError, ValueError):
        raise click.ClickException(f"Nothing runs here ({pid_file})") from None
    until = time.monotonic() + DOWN_S
    while pid_file.exists() and time.monotonic() < until:
        time.sleep(0.1)


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(street.NAMES))
def reload(names: tuple[str, ...]) -> None:
    """Start new workers (of NAMES, or of every service), then let the old ones finish. No request is lost."""
    from deploy.circus.prepare import documents  # noqa: PLC0415 - it reads every service; `up` must stay small

    reload_services(read(), documents(), names or street.NAMES)


def read() -> Settings:
    """The settings of this environment."""
    return settings.read(street.NAMES)


if __name__ == "__main__":
    try:
        main()
    except WrongSetting as wrong:
        click.echo(f"Runnerly under Circus: {wrong}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    except (Failed, Refused) as failed:
        sys.exit(f"Runnerly under Circus: {failed}")
