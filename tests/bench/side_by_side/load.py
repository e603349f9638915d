"""Load on one of the two, and what it cost: requests by `wrk`, uploads at once, memory, and what the machine did beside it."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import psutil

from tests.bench.wrk import wrk


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
    url, headers = peer.pages()[page], peer.headers()
    with Watch(peer.roots()) as watch:
        told = wrk(url, seconds=seconds, connections=connections, headers=headers)
    return Measure(told.rate, told.p99_ms, watch.foreign)


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
    held = 0
    for process in tree(roots):
        with suppress(psutil.Error):
            held += process.memory_full_info().pss
    return held / 2**20


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
        times = psutil.cpu_times()
        everything = times.user + times.nice + times.system + times.irq + times.softirq
        ours = sum(os.times()[:4])
        return time.perf_counter(), everything, ours + sum(map(cpu_s, tree(self.roots)))


def tree(roots: Sequence[int]) -> list[psutil.Process]:
    """These processes and all that they started."""
    found: list[psutil.Process] = []
    for root in map(psutil.Process, roots):
        found += [root, *root.children(recursive=True)]
    return found


def cpu_s(process: psutil.Process) -> float:
    """The time that a process has computed, and the children that it has waited for, in seconds."""
    with suppress(psutil.Error):
        return sum(process.cpu_times()[:4])
    return 0.0
