"""The instruments of a process, begun first and ended last: its logs, its metrics, and what watches over itself."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.catalogue import LogCatalogue, MetricCatalogue
from services.chassis.logs import Logger, Logs, configure_logging
from services.chassis.metrics import Metrics
from services.chassis.mongo_metrics import CommandTimer
from services.chassis.secrets import Secrets
from services.chassis.settings import ProcessSettings
from services.chassis.statsd import open_metrics
from services.chassis.vitals import Vitals


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
