"""Load on one of the two, and what it cost: requests by `wrk`, uploads at once, memory, and what the machine did beside it."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

TICKS = os.sysconf("SC_CLK_TCK")
TO_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class Peer(Protocol):
    """One of the two that are compared, running and signed in to."""

    name: str

    def pages(self) -> Mapping[str, str]:
        """What is read, by its name in the table: the whole addresses."""

    def headers(self) -> Mapping[str, str]:
        """What signs a request in, fresh."""

    def upload(self, name: str, content: bytes) -> int:
        """Upload one file; the status of the answer."""

    def roots(self) -> Sequence[int]:
        """The processes that it consists of, but for their children."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What was found: a rate a second, the 99th percentile in ms, the share of the machine that others used.

    `refused` are the uploads that were not taken; they count for nothing in the rate.
    """

    rate: float
    p99_ms: float
    foreign: float
    refused: int = 0

    def __str__(self) -> str:
        told = f"{self.rate:9.1f}/s  p99 {self.p99_ms:8.1f} ms  others {self.foreign:.0%}"
        return f"{told}  refused {self.refused}" if self.refused else told


def read(peer: Peer, page: str, *, seconds: int, connections: int = 16) -> Measure:
    """Ask for one page for so long. Raises `SystemExit` where an answer is not a good one."""
    headers = [part for name, value in peer.headers().items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "60s"]
    with Watch(peer.roots()) as watch:
        told = subprocess.run(
            [*command, *headers, peer.pages()[page]], capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"{peer.name} did not answer well at {page}:\n{told}")
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", told), re.search(r"\s99%\s+([\d.]+)(us|ms|s|m)", told)
    assert rate, told
    assert p99, told
    return Measure(float(rate[1]), float(p99[1]) * TO_MS[p99[2]], watch.foreign)


def upload(peer: Peer, files: Sequence[tuple[str, bytes]], *, at_once: int = 8) -> Measure:
    """Upload these files, so many at a time. Raises `SystemExit` where half of them are refused."""
    waiting: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
    for file in files:
        waiting.put(file)
    took: list[float] = []
    refused: list[int] = []

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                file = waiting.get_nowait()
                began = time.perf_counter()
                status = peer.upload(*file)
                took.append((time.perf_counter() - began) * 1000)
                if status != 201:
                    refused.append(status)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    with Watch(peer.roots()) as watch:
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - began
    if len(refused) * 2 > len(files):
        raise SystemExit(f"{peer.name} refused uploads: {refused}")
    p99 = sorted(took)[int(0.99 * (len(took) - 1))]
    return Measure((len(files) - len(refused)) / wall, p99, watch.foreign, len(refused))


def memory_mib(roots: Sequence[int]) -> float:
    """The proportional memory (PSS) of these processes and their children, in MiB."""
    kib = 0
    for pid in tree(roots):
        with suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            kib += int(found[1]) if found else 0
    return kib / 1024


@dataclass(slots=True)
class Watch:
    """How much of the machine was used by neither these processes nor us while it was watched, as a share of all cores."""

    roots: Sequence[int]
    foreign: float = 0.0
    _began: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0))

    def __enter__(self) -> Watch:
        self._began = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        (wall, all_of_it, known), (wall0, all0, known0) = self._now(), self._began
        self.foreign = max(0.0, (all_of_it - all0) - (known - known0)) / ((wall - wall0) * (os.cpu_count() or 1))

    def _now(self) -> tuple[float, float, float]:
        user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
        ours = sum(os.times()[:4])
        return (
            time.perf_counter(),
            (user + nice + system + irq + softirq) / TICKS,
            ours + sum(map(cpu_s, tree(self.roots))),
        )


def tree(roots: Sequence[int]) -> list[int]:
    """These processes and all that they started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu_s(pid: int) -> float:
    """The time that a process has computed, and the children that it has waited for, in seconds."""
    with suppress(OSError):
        return sum(map(int, _stat(pid)[11:15])) / TICKS
    return 0.0


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def until(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Return as soon as the condition holds. Raises `SystemExit` where it does not come about."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come about within {within_s:.0f} s")
        time.sleep(0.05)
