"""A catalogue says what it must, and nothing it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.chassis.catalogue import CatalogueError, LogCatalogue, MetricCatalogue

EVENT = "common: {service: x}\nevents:\n  run.kept:\n    level: info\n    means: x\n    action: x\n"
METRIC = "metrics:\n  run.kept:\n    kind: counter\n    unit: runs\n    description: x\n"


def test_ours_can_be_read_and_everything_in_it_says_what_to_do() -> None:
    logs, metrics = LogCatalogue.read(), MetricCatalogue.read()
    assert [name for name, event in logs.events.items() if not (event.means and event.action)] == []
    assert [name for name, metric in metrics.metrics.items() if not (metric.unit and metric.description)] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (EVENT.replace("run.kept", "Kept"), "dotted lower-case"),
        (EVENT.replace("level: info", "level: loud"), "Invalid enum value"),
        (EVENT.replace("    action: x\n", ""), "missing required field `action`"),
        (EVENT + "    fields: {A: x}\n", "can't be the name"),
        (EVENT + "    fields: {id: x}\n", "log pipeline itself"),
        (EVENT + "    fields: {service: x}\n", "a common field already"),
        (EVENT + "    fields: {sub: x}\n", "would identify a person"),
        (EVENT + "    personal: [client_ip]\n", "names a field it does not have"),
        ("events: {", "logs.yaml"),
    ],
)
def test_a_log_catalogue_that_is_wrong_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "logs.yaml").write_text(text)
    with pytest.raises(CatalogueError, match=complaint):
        LogCatalogue.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (METRIC.replace("run.kept", "kept"), "dotted lower-case"),
        (METRIC + "    series: 0\n", "must be positive"),
        (METRIC + "    labels: {a-b: x}\n", "can't be the name of a label"),
        (METRIC.replace("counter", "histogram"), "Invalid enum value"),
    ],
)
def test_a_metric_catalogue_that_is_wrong_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "metrics.yaml").write_text(text)
    with pytest.raises(CatalogueError, match=complaint):
        MetricCatalogue.read(tmp_path)


def test_a_missing_catalogue_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="set RUNNERLY_MONITORING"):
        LogCatalogue.read(tmp_path)
