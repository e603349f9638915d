"""The `runnerly` command itself: the group that every subcommand joins."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="runnerly")
def main() -> None:
    """Run, look after and move a Runnerly."""
