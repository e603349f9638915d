"""Write the Grafana dashboard from monitoring/metrics.yaml: a row a subject, a panel a metric. `--check` only compares.

Names are those of Etsy's statsd without its legacy namespace, as monitoring/statsd/config.js has it.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from services.chassis.catalogue import MetricCatalogue, MetricSpec  # noqa: E402 - the checkout, not what is installed

DASHBOARD = ROOT / "monitoring/grafana/runnerly.json"
SOURCE = {"type": "graphite", "uid": "${source}"}
WIDTH, HEIGHT, ACROSS = 8, 7, 3
UNITS = {"ms": "ms", "s": "s", "MB": "decmbytes"}


def targets(name: str, metric: MetricSpec) -> list[str]:
    """What is drawn of a metric, each line named by its labels."""
    path = ".".join(["runnerly", name, *("*" for _ in metric.labels)])
    # stats . timers . runnerly . http . request . <first label>
    first = 2 + 1 + len(name.split("."))
    labels = ", ".join(str(first + at) for at in range(len(metric.labels)))
    titled = f"aliasByNode({{}}, {labels})" if labels else f'alias({{}}, "{name}")'
    if metric.kind == "counter":
        return [titled.format(f"stats.counters.{path}.rate")]
    if metric.kind == "gauge":
        return [titled.format(f"stats.gauges.{path}")]
    return [titled.format(f"highestMax(stats.timers.{path}.upper_95, 15)")]


def title(name: str, metric: MetricSpec) -> str:
    """What the panel says it shows."""
    return {
        "counter": f"{name}: {metric.unit} a second",
        "gauge": f"{name} ({metric.unit})",
        "timing": f"{name}: 95th percentile ({metric.unit})",
    }[metric.kind]


def panel(number: int, name: str, metric: MetricSpec, x: int, y: int) -> dict[str, Any]:
    """One graph."""
    return {
        "id": number,
        "type": "timeseries",
        "title": title(name, metric),
        "description": metric.description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": UNITS.get(metric.unit, "short"), "min": 0}, "overrides": []},
        "targets": [{"refId": chr(65 + at), "target": text} for at, text in enumerate(targets(name, metric))],
    }


def dashboard(catalogue: MetricCatalogue) -> dict[str, Any]:
    """The whole dashboard."""
    panels: list[dict[str, Any]] = []
    y = 0
    ordered = sorted(catalogue.metrics.items())
    for subject, metrics in groupby(ordered, key=lambda item: item[0].partition(".")[0]):
        grid = {"x": 0, "y": y, "w": WIDTH * ACROSS, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": subject, "gridPos": grid, "panels": []})
        y += 1
        mine = list(metrics)
        for at, (name, metric) in enumerate(mine):
            panels.append(panel(len(panels) + 1, name, metric, at % ACROSS * WIDTH, y + at // ACROSS * HEIGHT))
        y += -(-len(mine) // ACROSS) * HEIGHT
    source = {"name": "source", "type": "datasource", "query": "graphite", "label": "Graphite"}
    return {
        "uid": "runnerly",
        "title": "Runnerly",
        "description": "Written by scripts/dashboard.py from monitoring/metrics.yaml; changes here are lost.",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [source]},
        "panels": panels,
    }


def main() -> int:
    """Write it, or say that it is stale."""
    text = json.dumps(dashboard(MetricCatalogue.read(ROOT / "monitoring")), indent=2) + "\n"
    if "--check" not in sys.argv:
        DASHBOARD.write_text(text)
        return 0
    if DASHBOARD.exists() and DASHBOARD.read_text() == text:
        return 0
    print(
        f"{DASHBOARD.relative_to(ROOT)} is older than monitoring/metrics.yaml: run `python scripts/dashboard.py`",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
