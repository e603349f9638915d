"""The instruments of a process, begun first and ended last: its logs, its metrics, and what watches over itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from services.chassis.catalogue import LogCatalogue, MetricCatalogue
from services.chassis.logs import STDOUT, Logger, Logs, configure_logging
from services.chassis.metrics import Metrics
from services.chassis.mongo_metrics import CommandTimer
from services.chassis.secrets import Secrets
from services.chassis.settings import ProcessSettings
from services.chassis.statsd import open_metrics
from services.chassis.vitals import Vitals

LARGE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Instruments:
    """What a process tells of itself with. `log` speaks for the process, `logs.get_logger(name)` for one of its services."""

    logs: Logs
    log: Logger
    metrics: Metrics
    command_timer: CommandTimer
    vitals: Vitals

    @classmethod
    def begin(cls, name: str, process: ProcessSettings, secrets: Secrets) -> Instruments:
        """Start logging and measuring; `name` is what the process is called."""
        logs = configure_logging(
            service=name,
            environment=process.environment,
            level=process.log_level,
            gelf_url=process.gelf_url or None,
            person_key=secrets.derive("logs.person"),
            catalogue=LogCatalogue.read(process.monitoring),
            stdout=_opened(process.log_file) if process.log_file else STDOUT,
        )
        log = logs.get_logger(name)
        metrics = open_metrics(
            process.statsd_url or None,
            MetricCatalogue.read(process.monitoring),
            strict=not process.production,
            tags=process.statsd_tags,
        )
        return cls(logs, log, metrics, CommandTimer(metrics), Vitals(name, metrics, log, logs))

    def close(self) -> None:
        """Send what is left, and stop."""
        self.metrics.close()
        self.logs.close()


def _opened(path: Path) -> int:
    """The log file, to be appended to. One that has grown large makes room at the start: the one before it is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGE:
        path.replace(path.with_suffix(f"{path.suffix}.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
