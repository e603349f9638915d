"""How late the event loop wakes up while eight files are being uploaded: what everybody else feels of it.

`python -m tests.bench.loop_lag [SECONDS]`: the service, its database and its parsers as in a small deployment, and eight
senders in a process of their own. The budget for the 99th percentile is 50 ms: the exit code says whether it was kept.
On a machine that others use the loop is late because it does not get a processor; the most processor time that one of its
turns took is told beside it, and that is ours alone.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from asyncio import Handle
from datetime import timedelta
from pathlib import Path

import aiohttp

from services.chassis.vitals import overslept_ms
from tests.support.database import DatabaseServer
from tests.support.recordings import START, a_run, gpx
from tests.support.runners import track

BUDGET_MS = 50.0
SENDERS, EACH_S, STARTING_S = 8, 0.01, 3.0


async def send(client: aiohttp.ClientSession, url: str, token: str, sender: int, until: float) -> None:
    """Upload the same hour of running, on another day each time, until it is over."""
    run = gpx(a_run(3600))
    day = START + timedelta(days=1000 * sender)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    while time.monotonic() < until:
        day += timedelta(days=1)
        body = run.replace(f"{START:%Y-%m-%d}".encode(), f"{day:%Y-%m-%d}".encode())
        async with client.post(url, data=body, headers=headers) as answer:
            if answer.status == 503:  # the machine is busy with something else
                await asyncio.sleep(1)
            elif answer.status != 201:
                raise SystemExit(f"An upload was answered {answer.status}: {await answer.text()}")


async def sending(url: str, seconds: float, tokens: list[str]) -> None:
    """All senders, in this process."""
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(send(client, url, token, row, until) for row, token in enumerate(tokens)))


class Turns:
    """The processor time that each turn of the event loop takes, in milliseconds."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self._run = Handle._run
        turns = self

        def run(handle: Handle) -> None:
            begin = time.thread_time()
            turns._run(handle)
            turns.taken.append((time.thread_time() - begin) * 1000)

        Handle._run = run  # type: ignore[method-assign]


async def lags(seconds: float, turns: Turns) -> tuple[list[float], int]:
    """How late each wake-up was, in milliseconds, and how many files were taken meanwhile."""
    with tempfile.TemporaryDirectory() as home:
        server = DatabaseServer(Path(home) / "database")
        (Path(home) / "database").mkdir()
        server.start()
        try:
            async with track(server, Path(home)) as made:
                runners = [await made.runner() for _ in range(SENDERS)]
                url = f"{made.settings.url}/api/v1/activities?filename=run.gpx"
                command = [sys.executable, "-m", "tests.bench.loop_lag", "send", url, str(seconds)]
                client = await asyncio.create_subprocess_exec(*command, *(runner.token for runner in runners))
                measured: list[float] = []
                begin = time.monotonic()
                while client.returncode is None:
                    lag = await overslept_ms(EACH_S)
                    if time.monotonic() - begin > STARTING_S:  # the senders have started by then
                        measured.append(lag)
                taken = await made.mongo.database("runnerly_activities").collection("activities").count_documents({})
                return measured, taken
        finally:
            server.stop()


def main() -> int:
    """Measure, print, and judge against the budget."""
    if sys.argv[1:2] == ["send"]:
        asyncio.run(sending(sys.argv[2], float(sys.argv[3]), sys.argv[4:]))
        return 0
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    turns = Turns()
    measured, taken = asyncio.run(lags(seconds, turns))
    p50, p99 = statistics.median(measured), statistics.quantiles(measured, n=100)[98]
    print(f"{taken} files of 3,600 points in {seconds:.0f} s, {SENDERS} at a time")
    print(
        f"the loop was late by {p50:.1f} ms at the median, {p99:.1f} at the 99th percentile, {max(measured):.1f} at worst"
    )
    print(f"no turn of the loop took more than {max(turns.taken):.1f} ms of the processor")
    return 0 if p99 <= BUDGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
