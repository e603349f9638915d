"""Logging: one line of JSON an event on standard output, and GELF to Graylog, at the cost of an append.

Code says what happened as a declared event with fields, `log.info("activity.imported", points=3600)`; whatever is slow -
rendering, scrubbing, encoding, writing - happens in threads of our own, behind bounded queues: structlog's usual way costs
47 us a line, and both a pipe and a socket can block for as long as their reader likes. The price: `kill -9` may lose the
last 50 ms of records. An event or field that `monitoring/logs.yaml` does not declare raises where `strict` (everywhere but
in production), and is written with `undeclared: true`, and counted, where not.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import structlog
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from services.chassis import context, gelf
from services.chassis.catalogue import EventSpec, LogCatalogue
from services.chassis.lane import Lane
from services.chassis.library_logs import LibraryHandler
from services.chassis.log_records import Cleaner, RawRecord, Record, RequestRecord

__all__ = ["Logger", "Logs", "RequestRecord", "UndeclaredEvent", "configure_logging"]

Logger: TypeAlias = FilteringBoundLogger
Queued: TypeAlias = tuple[float, RequestRecord] | RawRecord

STDOUT = 1
COMPLAIN_EVERY_S = 10.0
FLUSH_S = 3.0
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
ANY_LEVEL = "any"


class UndeclaredEvent(LookupError):
    """The code logs an event, a level or a field that `monitoring/logs.yaml` does not declare."""


class Way(Protocol):
    """A way out of the process. It may block; it raises `OSError` where trying again may help."""

    def write(self, records: Sequence[Record]) -> None:
        """Write them all."""

    def close(self) -> None:
        """Let go of what it holds."""


class LaneState(Struct, frozen=True):
    """How one way out is doing."""

    name: str
    waiting: int
    dropped: int


def configure_logging(
    *,
    service: str,
    environment: str,
    level: str,
    gelf_url: str | None,
    person_key: bytes,
    catalogue: LogCatalogue,
    strict: bool | None = None,
    stdout: int | None = STDOUT,
    also: Mapping[str, Way] | None = None,
) -> Logs:
    """Start logging for this process, the libraries' `logging` included; the one who calls it closes it, last of all.

    `service` names the process; `stdout` is a file descriptor; `also` are further ways out (tests look there). Raises
    `ValueError` for a `gelf_url` or `level` that can't be used.
    """
    ways: dict[str, Way] = dict(also or {})
    if stdout is not None:
        ways["stdout"] = Lines(stdout)
    if gelf_url:
        ways["graylog"] = gelf.Graylog(gelf_url)
    cleaner = Cleaner(catalogue, person_key, {"service": service, "environment": environment, "pid": os.getpid()})
    logs = Logs(cleaner, catalogue, ways, level=level, strict=environment != "production" if strict is None else strict)
    logs.listen_to_libraries()
    return logs


class Logs:
    """The way of a record: queued by `emit` or `request`, cleaned by one thread, written by one thread for each way out."""

    def __init__(
        self, cleaner: Cleaner, catalogue: LogCatalogue, ways: Mapping[str, Way], *, level: str, strict: bool
    ) -> None:
        self._level = _level_number(level)
        self._wrapper = structlog.make_filtering_bound_logger(self._level)
        self._cleaner = cleaner
        self._events = {name: _fields_of(event, catalogue) for name, event in catalogue.events.items()}
        self._levels = {name: event.level for name, event in catalogue.events.items()}
        self._strict = strict
        self.undeclared = 0
        self._told: dict[str, int] = {}
        self._told_at = 0.0
        self._closed = False
        self._bridge: LibraryHandler | None = None
        self._outs = tuple(ways.values())
        self._ways = [Lane(name, way.write, pause_s=1.0, on_trouble=self._on_trouble) for name, way in ways.items()]
        self._intake: Lane[Queued] = Lane("intake", self._clean)

    def get_logger(self, service: str) -> Logger:
        """The structlog logger of one service: `log.info("activity.imported", points=3600)`."""
        return self.logger().bind(service=service)

    def logger(self) -> Logger:
        """A logger that speaks for the process."""
        ours = structlog.wrap_logger(Mouth(self), processors=[], wrapper_class=self._wrapper, context_class=dict)
        return ours.bind()  # type: ignore[no-any-return]

    def request(self, record: RequestRecord) -> None:
        """Log an answered request. This is the hot path: an append, and nothing else."""
        self._intake.put((time.time(), record))

    def emit(self, level: str, event: str, fields: dict[str, Any]) -> None:
        """Queue one event; raises `UndeclaredEvent` where strict and it is not in the catalogue."""
        error = _error_of(fields.pop("exc_info", None))
        undeclared = self._undeclared(level, event, fields)
        if undeclared:
            if self._strict:
                raise UndeclaredEvent(undeclared)
            self.undeclared += 1
        running = context.current()
        trace, sub = (running.trace_id, running.sub or "") if running else ("", "")
        self._intake.put(RawRecord(time.time(), level, event, fields, trace, sub, error, bool(undeclared)))

    def lanes(self) -> tuple[LaneState, ...]:
        """How each way is doing; for metrics."""
        return tuple(LaneState(lane.name, lane.waiting, lane.dropped) for lane in self._lanes())

    def flush(self, timeout_s: float = FLUSH_S) -> int:
        """Wait until all is written, or until the time is up; the number of records that are left. It blocks."""
        deadline = time.monotonic() + timeout_s
        left = self._intake.flush(timeout_s)
        for lane in self._ways:
            left += lane.flush(max(0.0, deadline - time.monotonic()))
        return left

    def close(self, timeout_s: float = FLUSH_S) -> int:
        """Flush and stop, give the libraries their handlers back; the number of records that are lost."""
        if self._closed:
            return 0
        self._closed = True
        if self._bridge is not None:
            self._bridge.leave()
        deadline = time.monotonic() + timeout_s
        left = self._intake.close(timeout_s)
        self._complain()
        for lane in self._ways:
            left += lane.close(max(0.0, deadline - time.monotonic()))
        for way in self._outs:
            way.close()
        return left

    def listen_to_libraries(self) -> None:
        """Take over the standard library's logging, Python's warnings included."""
        self._bridge = LibraryHandler(self.emit, self._level)

    def _undeclared(self, level: str, event: str, fields: dict[str, Any]) -> str:
        """What is wrong with it, "" where nothing."""
        allowed = self._events.get(event)
        if allowed is None:
            return f"The event {event} is not declared in monitoring/logs.yaml"
        if not fields.keys() <= allowed:
            return f"The event {event} has no field {sorted(fields.keys() - allowed)} in monitoring/logs.yaml"
        if self._levels[event] not in {level, ANY_LEVEL}:
            return f"The event {event} is declared as {self._levels[event]}, not {level}"
        return ""

    def _clean(self, batch: Sequence[Queued]) -> None:
        for queued in batch:
            self._hand_on(self._cleaned(queued))
        if time.monotonic() - self._told_at > COMPLAIN_EVERY_S:
            self._complain()
        for lane in self._ways:
            lane.look()

    def _cleaned(self, queued: Queued) -> Record:
        if not isinstance(queued, RawRecord):
            return self._cleaner.request(*queued)
        try:
            return self._cleaner.clean(queued)
        except Exception as failure:  # noqa: BLE001 - a value that fails to render must not take other records with it
            fields = {"lost": queued.event, "reason": type(failure).__name__}
            return self._cleaner.clean(RawRecord(time.time(), "error", "log.unwritable", fields, queued.trace))

    def _lanes(self) -> list[Lane[Any]]:
        return [self._intake, *self._ways]

    def _hand_on(self, record: Record) -> None:
        for lane in self._ways:
            lane.put(record)

    def _complain(self) -> None:
        """Say how many records were dropped since this was last said, on the ways that still take any."""
        self._told_at = time.monotonic()
        for lane in self._lanes():
            if count := lane.dropped - self._told.get(lane.name, 0):
                self._told[lane.name] = lane.dropped
                fields = {"lane": lane.name, "count": count}
                self._hand_on(self._cleaner.clean(RawRecord(time.time(), "error", "log.dropped", fields)))

    def _on_trouble(self, lane: str, trouble: OSError | None) -> None:
        # Straight to the intake: this is a thread of ours, which a strict error would only end
        level, event = ("info", "log.resumed") if trouble is None else ("error", "log.stuck")
        fields = {"lane": lane} if trouble is None else {"lane": lane, "reason": f"{type(trouble).__name__}: {trouble}"}
        self._intake.put(RawRecord(time.time(), level, event, fields))


class Mouth:
    """What structlog calls in the end, with everything in keywords."""

    def __init__(self, logs: Logs) -> None:
        self._emit = logs.emit

    def debug(self, event: str, **fields: Any) -> None:
        """Queue it."""
        self._emit("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Queue it."""
        self._emit("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Queue it."""
        self._emit("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Queue it."""
        self._emit("error", event, fields)

    def critical(self, event: str, **fields: Any) -> None:
        """Queue it."""
        self._emit("critical", event, fields)


class Lines:
    """Writes records as lines to a file descriptor.

    Not through `sys.stdout`: its lock, held by a thread that is stuck in a write, would end the interpreter's shutdown with
    a fatal error.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, records: Sequence[Record]) -> None:
        """Write them all; blocks while the reader does."""
        rest = memoryview(b"".join([record.line() + b"\n" for record in records]))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody who shares the pipe made it non-blocking
                select.select([], [self._descriptor], [])

    def close(self) -> None:
        """Nothing: whoever opened the descriptor closes it."""


def _fields_of(event: EventSpec, catalogue: LogCatalogue) -> frozenset[str]:
    return frozenset(event.fields) | frozenset(catalogue.common)


def _error_of(exc_info: Any) -> BaseException | None:
    """The exception in what `logging` and structlog call `exc_info`: True, an exception, a triple or nothing."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _level_number(level: str) -> int:
    if level.lower() not in LEVELS:
        raise ValueError(f"The log level must be {', '.join(LEVELS)}, not {level}")
    return LEVELS[level.lower()]
