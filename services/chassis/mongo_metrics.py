"""Times every command to the database, as the driver itself measures it.

The driver calls the listener on the threads of its pool, so the metrics must be safe from any thread; they are.
"""

from __future__ import annotations

from services.chassis.metrics import Metrics
from services.chassis.mongo import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent


class CommandTimer(CommandListener):
    """Hand it to `Mongo(listeners=[...])`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def started(self, event: CommandStartedEvent) -> None:
        """Nothing: the events of its end carry the time it took."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Time it."""
        self._time(event, "ok")

    def failed(self, event: CommandFailedEvent) -> None:
        """Time it."""
        self._time(event, "failed")

    def _time(self, event: CommandSucceededEvent | CommandFailedEvent, outcome: str) -> None:
        self._metrics.timing(
            "mongo.command",
            event.duration_micros / 1000,
            database=event.database_name,
            command=event.command_name,
            outcome=outcome,
        )
