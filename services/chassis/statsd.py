"""The statsd client: samples are added up in the process, and a thread sends the sums four times a second.

A packet a sample costs 12 us and a system call each; adding to a number costs about one. Everything a request does here is
under a lock that nobody holds for longer than it takes to add; sockets, names of hosts and the formatting of lines belong
to the thread. UDP loses what nobody takes, and that is how it should be.

`STATSD_URL` is `udp://host:port?prefix=runnerly`. `STATSD_TAGS` says how labels travel: `graphite`, in the name
(`http.request.activities.readActivity.200`), or `datadog`, as tags (`#operation:readActivity`).
"""

from __future__ import annotations

import math
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from services.chassis.catalogue import Kind, MetricCatalogue, MetricSpec
from services.chassis.metrics import Label, Metrics, NoMetrics, Timer, UndeclaredMetric, declared

FLUSH_S = 0.25
# What is left of an Ethernet frame of 1500 bytes after IPv6, UDP and a tunnel on the way
DATAGRAM = 1432
# Exact up to here for each series and flush; beyond it a fair sample, sent with its rate
SAMPLES = 200
# A socket is made anew now and then, for the address behind the name may have moved and nobody would say so
SOCKET_S = 30.0
OTHER = "other"
UNDECLARED = "metrics.undeclared"
TYPES: dict[Kind, str] = {"counter": "c", "timing": "ms", "gauge": "g"}
UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
UNSAFE_TAG = re.compile(r"[^A-Za-z0-9_./-]+")

Tags = Literal["graphite", "datadog"]
Key: TypeAlias = tuple[str, tuple[tuple[str, Label], ...]]


class StatsdAddress(Struct, frozen=True):
    """Where statsd listens, and what our names begin with."""

    host: str
    port: int
    prefix: str = "runnerly"

    @classmethod
    def parse(cls, url: str) -> StatsdAddress:
        """Read a `STATSD_URL`; raises `ValueError` with a sentence where it can't be used."""
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.scheme != "udp" or not parts.hostname or not parts.port or options.keys() - {"prefix"}:
            raise ValueError("STATSD_URL must be udp://host:port or udp://host:port?prefix=...")
        return cls(parts.hostname, parts.port, **options)


def open_metrics(url: str | None, catalogue: MetricCatalogue, *, strict: bool, tags: Tags = "graphite") -> Metrics:
    """The metrics of a process: to statsd, or nowhere where there is none (but then still checked, if strict)."""
    if url:
        return Statsd(url, catalogue, strict=strict, tags=tags)
    return NoMetrics(catalogue if strict else None)


class Series:
    """What one name with its labels has come to since the last flush. Changed under the client's lock only."""

    __slots__ = ("count", "dirty", "line_end", "line_start", "samples", "value")

    def __init__(self, line_start: str, line_end: str) -> None:
        self.line_start = line_start
        self.line_end = line_end
        self.dirty = False
        self.value = 0.0
        self.count = 0
        self.samples: list[float] = []

    def sample(self, value: float) -> None:
        """Keep it; past `SAMPLES` each sample seen has the same chance to be among those kept (Vitter's algorithm R)."""
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(value)
        elif (place := int(random.random() * self.count)) < SAMPLES:  # noqa: S311 - statistics, no secret
            self.samples[place] = value


class Statsd:
    """Metrics to a statsd server."""

    def __init__(
        self,
        url: str,
        catalogue: MetricCatalogue,
        *,
        strict: bool,
        tags: Tags = "graphite",
        flush_s: float = FLUSH_S,
    ) -> None:
        if tags not in {"graphite", "datadog"}:
            raise ValueError("STATSD_TAGS must be graphite or datadog")
        address = StatsdAddress.parse(url)
        self._catalogue = catalogue
        self._strict = strict
        self._naming = _graphite if tags == "graphite" else _datadog
        self._prefix = f"{address.prefix}." if address.prefix else ""
        self._packets = Packets(address.host, address.port)
        self._lock = threading.Lock()
        self._counters: dict[Key, Series] = {}
        self._timings: dict[Key, Series] = {}
        self._gauges: dict[Key, Series] = {}
        self._known = {"counter": self._counters, "timing": self._timings, "gauge": self._gauges}
        self._series: dict[tuple[str, str], Series] = {}
        self._combinations: Counter[str] = Counter()
        self._dirty: list[Series] = []
        self._flushing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(flush_s,), name="statsd", daemon=True)
        self._thread.start()

    def incr(self, name: str, value: float = 1, **labels: Label) -> None:
        """Add to a counter."""
        series = self._counters.get((name, tuple(labels.items()))) or self._find(name, "counter", labels)
        if series is not None and math.isfinite(value):
            with self._lock:
                series.value += value
                if not series.dirty:
                    series.dirty = True
                    self._dirty.append(series)

    def timing(self, name: str, ms: float, **labels: Label) -> None:
        """One sample of a distribution."""
        series = self._timings.get((name, tuple(labels.items()))) or self._find(name, "timing", labels)
        if series is not None and math.isfinite(ms):
            with self._lock:
                series.sample(ms)
                if not series.dirty:
                    series.dirty = True
                    self._dirty.append(series)

    def gauge(self, name: str, value: float, **labels: Label) -> None:
        """The present level of something."""
        series = self._gauges.get((name, tuple(labels.items()))) or self._find(name, "gauge", labels)
        if series is not None and math.isfinite(value):
            with self._lock:
                series.value = value
                if not series.dirty:
                    series.dirty = True
                    self._dirty.append(series)

    def timer(self, name: str, **labels: Label) -> Timer:
        """Time a `with` block."""
        return Timer(self, name, labels)

    @property
    def unsent(self) -> int:
        """Datagrams that the network did not take."""
        return self._packets.lost

    def flush(self) -> None:
        """Send what there is, from the thread of the caller."""
        with self._flushing:
            for datagram in pack(self._take()):
                self._packets.send(datagram)

    def close(self) -> None:
        """Send what is left, and stop."""
        self._stop.set()
        self._thread.join(timeout=2 * FLUSH_S)
        self.flush()
        self._packets.close()

    def _run(self, flush_s: float) -> None:
        while not self._stop.wait(flush_s):
            self.flush()

    def _take(self) -> list[str]:
        lines: list[str] = []
        with self._lock:
            dirty, self._dirty = self._dirty, []
        for series in dirty:
            # One lock a series, so that a request waits for a list to be swapped at most
            with self._lock:
                value, count, samples = series.value, series.count, series.samples
                series.dirty = False
                series.count, series.samples = 0, []
                if series.line_end.startswith("|c"):
                    series.value = 0.0
            lines.extend(_lines(series, value, count, samples))
        return lines

    def _find(self, name: str, kind: Kind, labels: dict[str, Label]) -> Series | None:
        """The series of labels not seen before: declared or not, new, or one too many."""
        try:
            spec = declared(self._catalogue, name, kind, labels)
        except UndeclaredMetric:
            if self._strict:
                raise
            if name != UNDECLARED:
                self.incr(UNDECLARED)
            return None
        with self._lock:
            if self._combinations[name] >= spec.series:
                # Not remembered under these labels: whoever makes labels up must not fill our memory either
                return self._named(name, spec, dict.fromkeys(labels, OTHER))
            self._combinations[name] += 1
            series = self._named(name, spec, labels)
            self._known[kind][name, tuple(labels.items())] = series
            return series

    def _named(self, name: str, spec: MetricSpec, labels: dict[str, Label]) -> Series:
        start, end = self._naming(
            self._prefix + name, TYPES[spec.kind], [(key, str(labels[key])) for key in spec.labels]
        )
        return self._series.setdefault((start, end), Series(start, end))


class Packets:
    """A UDP socket that is made when needed, and whose failures are counted and forgotten."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._socket: socket.socket | None = None
        self._made_at = 0.0
        self.lost = 0

    def send(self, datagram: bytes) -> None:
        """Send it, or count it as lost."""
        try:
            self._connected().send(datagram)
        except ConnectionRefusedError:
            # That is the answer to the datagram before this one, which is still unsent
            self._again(datagram)
        except OSError:
            self.lost += 1
            self.close()

    def close(self) -> None:
        """Let the socket go; the next datagram makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _again(self, datagram: bytes) -> None:
        try:
            self._connected().send(datagram)
        except OSError:
            self.lost += 1

    def _connected(self) -> socket.socket:
        if self._socket is not None and time.monotonic() - self._made_at > SOCKET_S:
            self.close()
        if self._socket is None:
            family, kind, protocol, _, address = socket.getaddrinfo(*self._target, type=socket.SOCK_DGRAM)[0]
            self._made_at = time.monotonic()
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._socket.connect(address)
        return self._socket


def pack(lines: Iterable[str]) -> Iterator[bytes]:
    """Join lines to datagrams that fit in one packet on any network."""
    packed: list[bytes] = []
    size = 0
    for line in lines:
        encoded = line.encode()
        if packed and size + 1 + len(encoded) > DATAGRAM:
            yield b"\n".join(packed)
            packed, size = [], 0
        packed.append(encoded)
        size += len(encoded) + (1 if size else 0)
    if packed:
        yield b"\n".join(packed)


Naming: TypeAlias = Callable[[str, str, list[tuple[str, str]]], tuple[str, str]]


def _graphite(name: str, kind: str, labels: list[tuple[str, str]]) -> tuple[str, str]:
    return ".".join([name, *(UNSAFE.sub("_", value) or "none" for _, value in labels)]), f"|{kind}"


def _datadog(name: str, kind: str, labels: list[tuple[str, str]]) -> tuple[str, str]:
    tags = ",".join(f"{label}:{UNSAFE_TAG.sub('_', value) or 'none'}" for label, value in labels)
    return name, f"|{kind}|#{tags}" if tags else f"|{kind}"


def _lines(series: Series, value: float, count: int, samples: list[float]) -> list[str]:
    if not count:
        # A sign would make it a change of the gauge: a level below zero is reached from zero
        zero = [f"{series.line_start}:0{series.line_end}"] if value < 0 and series.line_end.startswith("|g") else []
        return [*zero, f"{series.line_start}:{_number(value)}{series.line_end}"]
    kind, _, tags = series.line_end[1:].partition("|")
    rate = f"|@{len(samples) / count:.6f}" if count > len(samples) else ""
    end = f"|{kind}{rate}" + (f"|{tags}" if tags else "")
    return [f"{series.line_start}:{_number(sample)}{end}" for sample in samples]


def _number(value: float) -> str:
    """Plain decimals: statsd knows no exponents."""
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
