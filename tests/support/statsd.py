"""A statsd server for tests: it receives datagrams, and adds up as statsd does what it reads in them.

Written from the line format itself (`name:value|type[|@rate][|#tags]`), without any code of ours. Raises for a line that a
server would refuse, and for a datagram that would not fit in a packet.
"""

from __future__ import annotations

import re
import socket
import threading
from collections import defaultdict
from typing import NamedTuple, Self

LARGEST = 1432
LINE = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]+):(?P<value>[+-]?\d+(?:\.\d+)?)\|(?P<type>c|ms|g)"
    r"(?:\|@(?P<rate>[01](?:\.\d+)?))?(?:\|#(?P<tags>[^|\s]+))?"
)


class Sample(NamedTuple):
    """One line."""

    name: str
    value: str
    type: str
    rate: float
    tags: frozenset[str]


def parse(datagram: bytes) -> list[Sample]:
    """The lines of a datagram."""
    assert len(datagram) <= LARGEST, f"a datagram of {len(datagram)} bytes"
    samples = []
    for line in datagram.decode("ascii").split("\n"):
        found = LINE.fullmatch(line)
        assert found, f"no statsd line: {line!r}"
        tags = frozenset(found["tags"].split(",")) if found["tags"] else frozenset[str]()
        samples.append(Sample(found["name"], found["value"], found["type"], float(found["rate"] or 1), tags))
    return samples


class Totals:
    """What a statsd server would know after these samples."""

    def __init__(self, samples: list[Sample]) -> None:
        self.counters: dict[str, float] = defaultdict(float)
        self.timings: dict[str, list[float]] = defaultdict(list)
        self.timing_counts: dict[str, float] = defaultdict(float)
        self.gauges: dict[str, float] = defaultdict(float)
        for sample in samples:
            self._add(sample)

    def _add(self, sample: Sample) -> None:
        value = float(sample.value)
        if sample.type == "c":
            self.counters[sample.name] += value / sample.rate
        elif sample.type == "ms":
            self.timings[sample.name].append(value)
            self.timing_counts[sample.name] += 1 / sample.rate
        elif sample.value[0] in "+-":
            self.gauges[sample.name] += value
        else:
            self.gauges[sample.name] = value


class StatsdReceiver:
    """Receives, until it is closed."""

    def __init__(self, port: int = 0) -> None:
        self.datagrams: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.settimeout(0.05)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"udp://127.0.0.1:{self.port}"
        self._running = True
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @property
    def samples(self) -> list[Sample]:
        """All lines that came so far."""
        return [sample for datagram in list(self.datagrams) for sample in parse(datagram)]

    def totals(self) -> Totals:
        """What they add up to, once nothing more comes."""
        self.close()
        return Totals(self.samples)

    def _receive(self) -> None:
        while True:
            try:
                self.datagrams.append(self._socket.recv(65536))
            except TimeoutError:
                if not self._running:
                    return

    def close(self) -> None:
        """Stop, when nothing has come for a moment."""
        self._running = False
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
