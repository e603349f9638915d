"""Worker processes: killed ones cost nobody an answer, and no file takes more than a file may."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from services.activities.domain.problems import NotAnActivity
from services.activities.packing import unpack
from services.activities.parsers.pool import Limits, ParserPool
from services.chassis.catalogue import MetricCatalogue
from services.chassis.metrics import NoMetrics
from services.chassis.problems import Unavailable
from tests.support.recordings import Session, a_run, fit, gpx

RUN = gpx(a_run(600))
LONG = gpx(a_run(60_000))
ROOT = Path(__file__).parents[3]


class Told:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.reasons: list[object] = []

    def warning(self, event: str, **fields: object) -> None:
        assert event == "activity.parser_killed"
        self.reasons.append(fields["reason"])


@pytest.fixture
def told() -> Told:
    return Told()


def pool_of(told: Told, limits: Limits) -> ParserPool:
    return ParserPool(limits, log=told, metrics=NoMetrics(MetricCatalogue.read()))  # type: ignore[arg-type]


@pytest.fixture
async def pool(told: Told) -> AsyncIterator[ParserPool]:
    made = pool_of(told, Limits(workers=2))
    made.start()
    yield made
    await made.close()


async def busy(pool: ParserPool) -> int:
    """A worker that is computing."""
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.01)
            for pid in pool.pids:
                before = sum(psutil.Process(pid).cpu_times()[:2])
                await asyncio.sleep(0.05)
                if sum(psutil.Process(pid).cpu_times()[:2]) > before:
                    return pid


async def test_a_file_comes_back_read_hashed_and_packed(pool: ParserPool) -> None:
    parsed = await pool.parse(fit(Session(a_run(600), distance=1800)))
    assert (parsed.format, len(parsed.sha256)) == ("fit", 64)
    (activity,) = parsed.activities
    assert (activity.summary.distance_m, activity.points) == (1800.0, 601)
    assert activity.streams is not None
    assert unpack(activity.streams).series["distance"][-1] == 1800.0
    assert [split.distance_m for split in activity.splits["km"]] == [1000.0, 800.0]


async def test_what_is_no_activity_says_why_through_the_process(pool: ParserPool) -> None:
    with pytest.raises(NotAnActivity, match="neither a FIT"):
        await pool.parse(b"hello")


async def test_a_worker_killed_in_the_middle_costs_nobody_an_answer(pool: ParserPool, told: Told) -> None:
    await pool.parse(RUN)
    uploads = [asyncio.create_task(pool.parse(LONG)) for _ in range(6)]
    os.kill(await busy(pool), signal.SIGKILL)
    parsed = await asyncio.gather(*uploads)
    assert [len(one.activities) for one in parsed] == [1] * 6
    assert told.reasons == ["ended"]
    await pool.check()


async def test_workers_killed_while_idle_are_replaced(pool: ParserPool, told: Told) -> None:
    await asyncio.gather(*(pool.parse(RUN) for _ in range(4)))
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    assert len(await asyncio.gather(*(pool.parse(RUN) for _ in range(4)))) == 4
    assert set(told.reasons) <= {"idle", "ended"}


async def test_a_file_that_takes_too_long_is_refused_and_its_worker_replaced(told: Told) -> None:
    pool = pool_of(told, Limits(workers=1, file_s=2.0))
    pool.start()
    try:
        await pool.parse(RUN)
        reading = asyncio.create_task(pool.parse(LONG))
        os.kill(await busy(pool), signal.SIGSTOP)  # so that it takes too long on any machine, and RUN on none
        with pytest.raises(NotAnActivity, match="over 2 s"):
            await reading
        assert told.reasons == ["time"]
        assert (await pool.parse(RUN)).format == "gpx"
    finally:
        await pool.close()


async def test_a_file_that_takes_too_much_memory_is_refused(told: Told) -> None:
    pool = pool_of(told, Limits(workers=1, memory_mib=16))
    pool.start()
    try:
        with pytest.raises(NotAnActivity):
            await pool.parse(gpx(a_run(100_000)))
        assert (await pool.parse(RUN)).format == "gpx"
    finally:
        await pool.close()


async def test_where_too_many_wait_the_next_is_told_when_to_come_back(told: Told) -> None:
    pool = pool_of(told, Limits(workers=1, waiting=2))
    pool.start()
    try:
        uploads = [asyncio.create_task(pool.parse(LONG)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await pool.parse(RUN)
        assert refused.value.retry_after_s == 5
        assert len(await asyncio.gather(*uploads)) == 3
    finally:
        await pool.close()


async def test_a_request_that_leaves_does_not_free_its_worker_early(pool: ParserPool, told: Told) -> None:
    abandoned = asyncio.create_task(pool.parse(LONG))
    await busy(pool)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    assert (await pool.parse(RUN)).format == "gpx"
    assert told.reasons == []


PARENT = """
    import asyncio, sys
    from services.activities.parsers.pool import Limits, ParserPool

    async def main():
        pool = ParserPool(Limits(workers=2), log=None, metrics=None)
        pool.start()
        while len(pool.pids) < 2:
            await asyncio.sleep(0.05)
        print(*pool.pids, flush=True)
        await asyncio.sleep(60)

    if __name__ == "__main__":
        asyncio.run(main())
"""


def test_workers_die_with_a_killed_parent(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(textwrap.dedent(PARENT))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, env=environ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    deadline = time.monotonic() + 60
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
