"""Logs and metrics that remember, for tests: checked against the real catalogues, so that an undeclared event fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from services.chassis.catalogue import LogCatalogue, MetricCatalogue
from services.chassis.log_records import Cleaner, Record
from services.chassis.logs import Logger, Logs
from services.chassis.metrics import Label, Timer, declared


class Memory:
    """A way out that goes nowhere but into a list."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def write(self, records: Sequence[Record]) -> None:
        self._records.extend(records)

    def close(self) -> None:
        """Nothing to let go of."""


class RecordedLogs:
    """What was logged, as it would have been written (scrubbed)."""

    def __init__(self, catalogue: LogCatalogue | None = None, *, strict: bool = True, level: str = "debug") -> None:
        catalogue = catalogue or LogCatalogue.read()
        self._records: list[Record] = []
        cleaner = Cleaner(catalogue, b"test", {})
        self.logs = Logs(cleaner, catalogue, {"memory": Memory(self._records)}, level=level, strict=strict)

    def logger(self, service: str = "test") -> Logger:
        """A logger whose records are kept here."""
        return self.logs.get_logger(service)

    @property
    def records(self) -> list[Record]:
        """All records so far."""
        assert self.logs.flush() == 0
        return list(self._records)

    @property
    def events(self) -> list[str]:
        """The events of all records so far."""
        return [record.event for record in self.records]

    def fields(self, event: str) -> dict[str, Any]:
        """The fields of the last record of this event."""
        return [record for record in self.records if record.event == event][-1].fields

    def close(self) -> None:
        """Stop its threads."""
        self.logs.close()


class Measured(NamedTuple):
    """One sample."""

    name: str
    value: float
    labels: dict[str, Label]


class RecordedMetrics:
    """What was measured."""

    def __init__(self, catalogue: MetricCatalogue | None = None) -> None:
        self._catalogue = catalogue or MetricCatalogue.read()
        self.samples: list[Measured] = []

    def incr(self, name: str, value: float = 1, **labels: Label) -> None:
        declared(self._catalogue, name, "counter", labels)
        self.samples.append(Measured(name, value, labels))

    def timing(self, name: str, ms: float, **labels: Label) -> None:
        declared(self._catalogue, name, "timing", labels)
        self.samples.append(Measured(name, ms, labels))

    def gauge(self, name: str, value: float, **labels: Label) -> None:
        declared(self._catalogue, name, "gauge", labels)
        self.samples.append(Measured(name, value, labels))

    def timer(self, name: str, **labels: Label) -> Timer:
        return Timer(self, name, labels)

    def close(self) -> None:
        """Nothing to do."""

    def named(self, name: str) -> list[Measured]:
        """The samples of one metric."""
        return [sample for sample in self.samples if sample.name == name]
