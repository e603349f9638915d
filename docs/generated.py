"""The tables of the book that the program fills in itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from deploy.circus.settings import CircusSettings
from deploy.openresty.settings import DoorSettings
from services.chassis.catalogue import LogCatalogue, MetricCatalogue
from services.chassis.settings import describe
from services.command.main import runnerly
from services.command.settings import groups


def write(folder: Path) -> None:
    """Write every table as a page of Markdown, where it differs from the one that is there."""
    folder.mkdir(exist_ok=True)
    for name, lines in (
        ("settings", settings()),
        ("commands", commands()),
        ("events", events()),
        ("metrics", metrics()),
    ):
        text = "\n".join(lines) + "\n"
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def settings() -> Iterator[str]:
    """Every setting: of every process, of each service, and of what is around them under Circus."""
    for group, type_ in (*groups(), ("the door", DoorSettings), ("Circus", CircusSettings)):
        described = [setting for setting in describe(type_) if setting.description]
        if not described:
            continue
        yield from (
            "",
            f"**{group[0].upper()}{group[1:]}**",
            "",
            "| variable | default | meaning |",
            "| --- | --- | --- |",
        )
        for setting in described:
            default = f"`{cell(setting.default)}`" if setting.default not in {"", "None"} else ""
            secret = " *Secret.*" if setting.secret else ""
            yield f"| `{setting.variable}` | {default} | {cell(setting.description)}{secret} |"


def commands() -> Iterator[str]:
    """Every command of `runnerly`."""
    context = click.Context(runnerly)
    yield from ("| command | does |", "| --- | --- |")
    for name in runnerly.list_commands(context):
        if command := runnerly.get_command(context, name):
            yield f"| `runnerly {name}` | {cell(command.get_short_help_str(200))} |"


def events() -> Iterator[str]:
    """Every log event, and what to do about it."""
    yield from ("| event | level | means | do |", "| --- | --- | --- | --- |")
    for name, event in sorted(LogCatalogue.read().events.items()):
        yield f"| `{name}` | {event.level} | {cell(event.means)} | {cell(event.action)} |"


def metrics() -> Iterator[str]:
    """Every metric."""
    yield from ("| metric | kind | unit | labels | means |", "| --- | --- | --- | --- | --- |")
    for name, metric in sorted(MetricCatalogue.read().metrics.items()):
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{name}` | {metric.kind} | {cell(metric.unit)} | {labels} | {cell(metric.description)} |"


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())
