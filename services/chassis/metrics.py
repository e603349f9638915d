"""Measuring: the interface that all code gets, and the one that measures nothing.

Every metric is declared in `monitoring/metrics.yaml` first. Labels are bounded - operation ids, statuses, names of
parties - never a raw path, an id or a person: each combination is a series that somebody stores for a year.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

from services.chassis.catalogue import Kind, MetricCatalogue, MetricSpec

Label = str | int


class UndeclaredMetric(LookupError):
    """The code emits a metric that `monitoring/metrics.yaml` does not declare, or not so."""


class Metrics(Protocol):
    """Counts, times and levels. Safe from any thread; costs about a microsecond; never waits, never fails in production."""

    def incr(self, name: str, value: float = 1, **labels: Label) -> None:
        """Add to a counter."""

    def timing(self, name: str, ms: float, **labels: Label) -> None:
        """One sample of a distribution: milliseconds, or what `unit` says."""

    def gauge(self, name: str, value: float, **labels: Label) -> None:
        """The present level of something."""

    def timer(self, name: str, **labels: Label) -> Timer:
        """`with metrics.timer("mailer.render"): ...` times its body, also where it raises."""

    def close(self) -> None:
        """Send what is left, and stop."""


class Timer:
    """Times a `with` block."""

    __slots__ = ("_labels", "_metrics", "_name", "_started")

    def __init__(self, metrics: Metrics, name: str, labels: dict[str, Label]) -> None:
        self._metrics = metrics
        self._name = name
        self._labels = labels
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics.timing(self._name, (time.perf_counter() - self._started) * 1000, **self._labels)


class NoMetrics:
    """Measures nothing; with a catalogue, still raises for what is not declared (so that development tells)."""

    def __init__(self, catalogue: MetricCatalogue | None = None) -> None:
        self._catalogue = catalogue

    def incr(self, name: str, value: float = 1, **labels: Label) -> None:  # noqa: ARG002, RUF100 - the port's shape
        """Check only."""
        self._check(name, "counter", labels)

    def timing(self, name: str, ms: float, **labels: Label) -> None:  # noqa: ARG002, RUF100
        """Check only."""
        self._check(name, "timing", labels)

    def gauge(self, name: str, value: float, **labels: Label) -> None:  # noqa: ARG002, RUF100
        """Check only."""
        self._check(name, "gauge", labels)

    def timer(self, name: str, **labels: Label) -> Timer:
        """A timer whose sample goes nowhere."""
        return Timer(self, name, labels)

    def close(self) -> None:
        """Nothing to do."""

    def _check(self, name: str, kind: Kind, labels: dict[str, Label]) -> None:
        if self._catalogue is not None:
            declared(self._catalogue, name, kind, labels)


def declared(catalogue: MetricCatalogue, name: str, kind: Kind, labels: dict[str, Label]) -> MetricSpec:
    """The declaration of this metric; raises `UndeclaredMetric` where there is none, or it is of another kind or labels."""
    spec = catalogue.metrics.get(name)
    if spec is None:
        raise UndeclaredMetric(f"The metric {name} is not declared in monitoring/metrics.yaml")
    if spec.kind != kind:
        raise UndeclaredMetric(f"The metric {name} is declared as a {spec.kind}, not a {kind}")
    if spec.labels.keys() != labels.keys():
        raise UndeclaredMetric(f"The metric {name} has the labels {list(spec.labels)}, not {list(labels)}")
    return spec
