"""Nothing is logged or measured that the catalogues don't declare, and nothing is declared that nobody emits."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from services.chassis.catalogue import LogCatalogue, MetricCatalogue

SERVICES = Path(__file__).parents[3] / "services"
LOG_METHODS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
}
METRIC_METHODS = {"incr": "counter", "timing": "timing", "timer": "timing", "gauge": "gauge"}
NO_FIELDS = {"exc_info", "stack_info"}


class Call(NamedTuple):
    """One call that logs or measures: `method("name", keyword=...)`, and where it stands."""

    where: str
    method: str
    name: str
    keywords: set[str]
    open_ended: bool


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SERVICES.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def calls(methods: dict[str, str], receiver: str) -> Iterator[Call]:
    """Calls like `self._log.info("x.y", ...)`: of one of the methods, on something that is called `receiver`."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods):
                continue
            on = node.func.value
            name = on.attr if isinstance(on, ast.Attribute) else on.id if isinstance(on, ast.Name) else ""
            if not name.strip("_").endswith(receiver) or not node.args:
                continue
            where = f"{path.relative_to(SERVICES.parent)}:{node.lineno}"
            for literal in _texts(node.args[0]):
                keywords = {keyword.arg for keyword in node.keywords if keyword.arg}
                open_ended = any(keyword.arg is None for keyword in node.keywords)
                yield Call(where, node.func.attr, literal, keywords, open_ended)


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts an expression can be: a literal, or one of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def texts_in_code() -> set[str]:
    return {
        node.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_logged_event_is_declared_with_its_level_and_fields() -> None:
    catalogue = LogCatalogue.read()
    wrong = []
    for call in calls(LOG_METHODS, "log"):
        event = catalogue.events.get(call.name)
        if event is None:
            wrong.append(f"{call.where}: {call.name} is not in monitoring/logs.yaml")
            continue
        if event.level not in {LOG_METHODS[call.method], "any"}:
            wrong.append(f"{call.where}: {call.name} is declared as {event.level}")
        if extra := call.keywords - NO_FIELDS - event.fields.keys() - catalogue.common.keys():
            wrong.append(f"{call.where}: {call.name} has no field {sorted(extra)}")
    assert not wrong, "\n".join(wrong)


def test_every_emitted_metric_is_declared_with_its_kind_and_labels() -> None:
    catalogue = MetricCatalogue.read()
    wrong = []
    for call in calls(METRIC_METHODS, "metrics"):
        metric = catalogue.metrics.get(call.name)
        if metric is None:
            wrong.append(f"{call.where}: {call.name} is not in monitoring/metrics.yaml")
        elif metric.kind != METRIC_METHODS[call.method]:
            wrong.append(f"{call.where}: {call.name} is declared as a {metric.kind}")
        elif not call.open_ended and call.keywords - {"value", "ms"} != metric.labels.keys():
            wrong.append(f"{call.where}: {call.name} has the labels {list(metric.labels)}, not {sorted(call.keywords)}")
    assert not wrong, "\n".join(wrong)


def events_of_the_door() -> set[str]:
    """What nginx logs, by the format in its configuration."""
    template = SERVICES.parent / "deploy" / "openresty" / "nginx.conf.template"
    return set(re.findall(r'"event":"([a-z.]+)"', template.read_text()))


def test_everything_declared_is_emitted_somewhere() -> None:
    declared = LogCatalogue.read().events.keys() | MetricCatalogue.read().metrics.keys()
    assert sorted(declared - texts_in_code() - events_of_the_door()) == []


def test_the_dashboard_shows_the_metrics_that_there_are() -> None:
    script = SERVICES.parent / "scripts" / "dashboard.py"
    checked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_lint_finds_the_calls_it_is_for() -> None:
    """A lint that looks past everything would be green for ever."""
    assert "loop.stalled" in {call.name for call in calls(LOG_METHODS, "log")}
    assert {"process.memory", "mongo.command"} <= {call.name for call in calls(METRIC_METHODS, "metrics")}
