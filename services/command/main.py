"""The `runnerly` command itself: the group that every subcommand joins, each imported only when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from services.chassis.settings import WrongSetting

EXIT_CONFIGURATION = 78  # sysexits.h, EX_CONFIG

SUBCOMMANDS = (
    "up",
    "serve",
    "migrate",
    "backup",
    "restore",
    "keys",
    "clients",
    "users",
    "audit",
    "activities",
    "bus",
    "openapi",
    "schemas",
    "settings",
)
MODULE_OF = {"restore": "backup"}


class Subcommands(click.Group):
    """The subcommands by name; a module is imported when its command is used, so that one does not pay for all."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, RUF100 - click's own shape
        """Their names, in the order a reader needs them."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, RUF100
        """The command of this name: the attribute of that name in its module."""
        if cmd_name not in SUBCOMMANDS:
            return None
        module = import_module(f"services.command.{MODULE_OF.get(cmd_name, cmd_name)}")
        command = getattr(module, cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.{cmd_name} is not a command")
        return command


@click.group(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="runnerly")
def runnerly() -> None:
    """Run, look after and move a Runnerly."""


def main() -> None:
    """Run the command line. A wrong setting is told in a sentence, and exits with 78."""
    try:
        runnerly(prog_name="runnerly")
    except WrongSetting as wrong:
        click.echo(f"runnerly: {wrong}", err=True)
        sys.exit(EXIT_CONFIGURATION)
