"""A pool of worker processes, each by itself: one that is killed takes down its own file only, and is replaced.

`ProcessPoolExecutor` breaks as a whole when one of its processes ends, so every worker is an executor of one process
(spawned: a forked one would keep our listening sockets). A file whose worker fell is read once more by another; after
that the file is to blame.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from services.activities.domain.problems import NotAnActivity
from services.activities.domain.sports import Sport
from services.activities.parsers import worker
from services.activities.parsers.parsed import ParsedFile
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.problems import Unavailable

T = TypeVar("T")

MIB = 1024**2
ATTEMPTS = 2
START_S = 60.0
START_AGAIN_S = 1.0
RETRY_AFTER_S = 5
BACKGROUND_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a pool may take: processes, seconds and memory a file, and files that wait for a process."""

    workers: int = 1
    file_s: float = 15.0
    memory_mib: int = 512
    waiting: int = 32


class _Worker:
    """One worker process, through all its lives."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._executor: ProcessPoolExecutor | None = None
        self.pid: int | None = None

    async def start(self) -> None:
        """Start it; it has read a first file then, and is quick. Raises `BrokenProcessPool`, or `TimeoutError`."""
        self._executor = ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=worker.begin,
            initargs=(os.getpid(), self._memory_bytes),
        )
        async with asyncio.timeout(START_S):
            self.pid = await asyncio.wrap_future(self._executor.submit(worker.identify))

    def submit(self, content: bytes, sports: Mapping[int, Sport], cpu_s: float) -> Future[ParsedFile]:
        """Begin to read a file. Raises `BrokenProcessPool` where the process has ended since the last one."""
        if self._executor is None:
            raise BrokenProcessPool
        return self._executor.submit(worker.parse, content, dict(sports), cpu_s)

    def kill(self) -> None:
        """End it now, whatever it is doing."""
        pid, self.pid = self.pid, None
        executor, self._executor = self._executor, None
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)


class ParserPool:
    """Reads files in worker processes."""

    def __init__(self, limits: Limits, *, log: Logger, metrics: Metrics) -> None:
        self._limits = limits
        self._log = log
        self._metrics = metrics
        self._workers = [_Worker(limits.memory_mib * MIB) for _ in range(limits.workers)]
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._files = 0  # that are being read, or wait
        self._background = asyncio.Semaphore(max(1, limits.workers - 1))
        self._failure: Exception | None = None

    @property
    def pids(self) -> list[int]:
        """The processes that are running."""
        return [one.pid for one in self._workers if one.pid is not None]

    def start(self) -> None:
        """Begin to start all workers; until they are ready, files wait."""
        for one in self._workers:
            self._begin(self._prepare(one))

    async def close(self) -> None:
        """End all workers. What they were reading is not answered."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for one in self._workers:
            one.kill()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def check(self) -> None:
        """For the heartbeat: raises `Unavailable` where no worker can be started."""
        if self._failure is not None and not self.pids:
            raise Unavailable("No process can be started to read files in") from self._failure

    async def parse(self, content: bytes, sports: Mapping[int, Sport] = MappingProxyType({})) -> ParsedFile:
        """Read a file. Raises `NotAnActivity`, or `Unavailable` where too many are waiting.

        `sports` are what sessions were, by their place, whatever the file says.
        """
        if self._files >= self._limits.workers + self._limits.waiting:
            raise Unavailable("Many files are being read: try again shortly", retry_after_s=RETRY_AFTER_S)
        begin = time.perf_counter()
        self._files += 1
        # a task of its own, which the request may abandon: its worker is only free when the file is done
        reading = self._begin(self._parse(content, sports))
        reading.add_done_callback(self._one_less)
        parsed = await asyncio.shield(reading)
        self._metrics.timing("activities.parse", (time.perf_counter() - begin) * 1000, format=parsed.format)
        return parsed

    async def parse_in_background(
        self, content: bytes, sports: Mapping[int, Sport] = MappingProxyType({})
    ) -> ParsedFile:
        """Read a file that nobody sits and waits for, in its turn: one process stays free of such, where there are two.

        With one, somebody's upload waits for one such file at the most. Raises `NotAnActivity`.
        """
        async with self._background:
            while True:
                try:
                    return await self.parse(content, sports)
                except Unavailable:
                    await asyncio.sleep(BACKGROUND_AGAIN_S)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _one_less(self, _: asyncio.Task[Any]) -> None:
        self._files -= 1

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody else looks where the request was abandoned

    async def _parse(self, content: bytes, sports: Mapping[int, Sport]) -> ParsedFile:
        for _ in range(ATTEMPTS):
            one, reading = await self._submitted(content, sports)
            try:
                async with asyncio.timeout(self._limits.file_s):
                    parsed = await asyncio.wrap_future(reading)
            except BrokenProcessPool:
                self._replace(one, reason="ended")
            except TimeoutError:
                self._replace(one, reason="time")
                raise NotAnActivity(f"Reading this file takes over {self._limits.file_s:.0f} s") from None
            except BaseException:  # what is wrong with the file, or that we close: either way the worker is well
                self._free.put_nowait(one)
                raise
            else:
                self._free.put_nowait(one)
                return parsed
        raise NotAnActivity("Reading this file takes more time or memory than a file may")

    async def _submitted(self, content: bytes, sports: Mapping[int, Sport]) -> tuple[_Worker, Future[ParsedFile]]:
        """A free worker that has begun with the file."""
        while True:
            one = await self._free.get()
            try:
                return one, one.submit(content, sports, self._limits.file_s)
            except BrokenProcessPool:  # it fell while it was idle, which is no file's fault
                self._replace(one, reason="idle")

    def _replace(self, one: _Worker, *, reason: str) -> None:
        self._log.warning("activity.parser_killed", reason=reason)
        one.kill()
        self._begin(self._prepare(one))

    async def _prepare(self, one: _Worker) -> None:
        """Start a worker, however often it takes, and set it free."""
        while True:
            try:
                await one.start()
            except (BrokenProcessPool, TimeoutError, OSError) as failure:
                self._failure = failure
                one.kill()
                await asyncio.sleep(START_AGAIN_S)
            else:
                self._failure = None
                self._free.put_nowait(one)
                return
