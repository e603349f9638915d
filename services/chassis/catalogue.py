"""The catalogues of what may be logged and measured: `monitoring/logs.yaml` and `monitoring/metrics.yaml`.

An event or a metric is declared there, with its meaning and what to do about it, before a line of code emits it, so that
whoever is on call can look up everything they see. The folder is `RUNNERLY_MONITORING` (the image sets it), by default
the `monitoring/` beside the package, which is where a checkout has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")

SETTING = "RUNNERLY_MONITORING"
BESIDE_THE_PACKAGE = Path(__file__).resolve().parents[2] / "monitoring"

EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
# `id` is Graylog's own; the others are written by the log pipeline itself and can't be given by a caller
RESERVED_FIELDS = frozenset({"id", "event", "level", "timestamp", "undeclared", "exc_info"})
# A raw account id would tie a log to a person for ever: `person`, its keyed hash, is what a record carries
PERSON_FIELDS = frozenset({"sub", "owner", "user_id", "user", "email", "name", "password", "token", "secret"})

Level = Literal["debug", "info", "warning", "error", "critical", "any"]
Kind = Literal["counter", "timing", "gauge"]


class CatalogueError(ValueError):
    """A catalogue is missing, or says something it must not."""


class EventSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One log event: what it means, what to do about it, and its fields with a word on each.

    `personal` names the fields that may hold personal data (an IP address in a security event) and are not scrubbed of it.
    """

    level: Level
    means: str
    action: str
    fields: dict[str, str] = {}
    personal: tuple[str, ...] = ()


class MetricSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One metric. `labels` are in the order in which Graphite's names carry them; `series` bounds their combinations."""

    kind: Kind
    unit: str
    description: str
    labels: dict[str, str] = {}
    series: int = 1000


class LogCatalogue(Struct, frozen=True, forbid_unknown_fields=True):
    """All events that may be logged, and the fields that any of them may carry."""

    common: dict[str, str]
    events: dict[str, EventSpec]

    @classmethod
    def read(cls, folder: Path | None = None) -> LogCatalogue:
        """The catalogue in `folder`; raises `CatalogueError` where it is missing or wrong."""
        catalogue = _read(folder, "logs.yaml", cls)
        for name, event in catalogue.events.items():
            _check_event(name, event, catalogue.common)
        return catalogue


class MetricCatalogue(Struct, frozen=True, forbid_unknown_fields=True):
    """All metrics that may be emitted."""

    metrics: dict[str, MetricSpec]

    @classmethod
    def read(cls, folder: Path | None = None) -> MetricCatalogue:
        """The catalogue in `folder`; raises `CatalogueError` where it is missing or wrong."""
        catalogue = _read(folder, "metrics.yaml", cls)
        for name, metric in catalogue.metrics.items():
            _require(EVENT_NAME.fullmatch(name), f"metric {name}: a name is dotted lower-case words")
            _require(metric.series > 0, f"metric {name}: series must be positive")
            for label in metric.labels:
                _require(FIELD_NAME.fullmatch(label), f"metric {name}: {label} can't be the name of a label")
        return catalogue


def _read(folder: Path | None, name: str, kind: type[T]) -> T:
    path = (folder or BESIDE_THE_PACKAGE) / name
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise CatalogueError(f"There is no {path}: set {SETTING} to the folder with the catalogues") from None
    except msgspec.DecodeError as wrong:
        raise CatalogueError(f"{path}: {wrong}") from wrong


def _check_event(name: str, event: EventSpec, common: Mapping[str, str]) -> None:
    _require(EVENT_NAME.fullmatch(name), f"event {name}: a name is dotted lower-case words")
    for field in event.fields:
        _require(FIELD_NAME.fullmatch(field), f"event {name}: {field} can't be the name of a field")
        _require(field not in RESERVED_FIELDS, f"event {name}: {field} is written by the log pipeline itself")
        _require(field not in common, f"event {name}: {field} is a common field already")
        _require(field not in PERSON_FIELDS, f"event {name}: {field} would identify a person or hold a secret")
    _require(set(event.personal) <= event.fields.keys(), f"event {name}: personal names a field it does not have")


def _require(holds: object, sentence: str) -> None:
    if not holds:
        raise CatalogueError(sentence)
