"""The vital signs of a process: whether its event loop keeps up, its memory, its processor time, its logs.

A late wake-up of the loop is what every request in it feels, whatever its own timer says.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

from services.chassis.logs import Logger, Logs
from services.chassis.metrics import Metrics

LAG_EVERY_S = 0.25
MEMORY_EVERY_S = 10.0
STALLED_MS = 500.0
PAGES = Path("/proc/self/statm")
MEGABYTE = 1_000_000


class Vitals:
    """Watches the process it is in; `run` is a job that never ends."""

    def __init__(self, service: str, metrics: Metrics, log: Logger, logs: Logs) -> None:
        self._service = service
        self._metrics = metrics
        self._log = log
        self._logs = logs
        self._cpu_ms = 0.0
        self._undeclared = 0
        self._dropped: dict[str, int] = {}

    async def run(self) -> None:
        """Measure until cancelled."""
        next_memory = 0.0
        while True:
            self.lag(await overslept_ms(LAG_EVERY_S))
            if time.monotonic() >= next_memory:
                next_memory = time.monotonic() + MEMORY_EVERY_S
                self.look()

    def lag(self, ms: float) -> None:
        """One late wake-up."""
        self._metrics.timing("process.loop_lag", ms, service=self._service)
        if ms >= STALLED_MS:
            self._log.warning("loop.stalled", ms=round(ms))

    def look(self) -> None:
        """Memory, processor time and what the logs lost, now."""
        self._metrics.timing("process.memory", memory_bytes() / MEGABYTE, service=self._service)
        cpu_ms = time.process_time() * 1000
        self._metrics.incr("process.cpu", cpu_ms - self._cpu_ms, service=self._service)
        self._cpu_ms = cpu_ms
        self._count_logs()

    def _count_logs(self) -> None:
        for lane in self._logs.lanes():
            if lost := lane.dropped - self._dropped.get(lane.name, 0):
                self._metrics.incr("log.dropped", lost, service=self._service, lane=lane.name)
                self._dropped[lane.name] = lane.dropped
        if undeclared := self._logs.undeclared - self._undeclared:
            self._metrics.incr("log.undeclared", undeclared, service=self._service)
            self._undeclared += undeclared


async def overslept_ms(seconds: float, monotonic: Callable[[], float] = time.monotonic) -> float:
    """Sleep, and return by how much that was too long."""
    asked = monotonic()
    await asyncio.sleep(seconds)
    return max(0.0, (monotonic() - asked - seconds) * 1000)


def memory_bytes() -> int:
    """Resident memory of this process, now; where there is no /proc, the most it ever had."""
    try:
        return int(PAGES.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
