"""The task queue."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from services.chassis.bus.event import Job
from services.chassis.bus.retry import Retry
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import keep_in, mail
from tests.contract.bus.test_failures import parked_in
from tests.support.processes import Child
from tests.support.waiting import eventually


async def test_competing_workers_do_each_job_once(bus: Bus) -> None:
    done: dict[str, list[Job]] = {"one": [], "other": []}
    begun: set[str] = set()
    both = asyncio.Event()

    def worker(name: str):
        async def handler(job: Job) -> None:  # one that has its hands full leaves the rest to the other
            begun.add(name)
            if begun == done.keys():
                both.set()
            await both.wait()
            done[name].append(job)

        return handler

    for name in done:
        await (await bus.process()).work("mail", worker(name), concurrency=2)
    producer = await bus.process()
    jobs = [mail(number) for number in range(30)]
    await asyncio.gather(*map(producer.enqueue, jobs))
    await eventually(lambda: len(done["one"]) + len(done["other"]) >= len(jobs))
    assert sorted(job.id for job in done["one"] + done["other"]) == sorted(job.id for job in jobs)
    assert done["one"], "the work is shared"
    assert done["other"], "the work is shared"


async def test_a_worker_takes_no_more_at_once_than_it_said(bus: Bus) -> None:
    process, running, most, done = await bus.process(), 0, 0, 0
    gate = asyncio.Event()

    async def handler(_: Job) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        done += 1

    await process.work("mail", handler, concurrency=3)
    for number in range(12):
        await process.enqueue(mail(number))
    await eventually(lambda: running == 3)  # as many as it said, however slowly they come
    gate.set()
    await eventually(lambda: done == 12)
    assert most == 3


async def test_a_job_that_is_queued_before_anybody_works_is_kept(bus: Bus) -> None:
    job, done = mail(), list[Job]()
    await (await bus.process()).enqueue(job)
    await (await bus.process()).work("mail", keep_in(done))
    await eventually(lambda: done == [job])


async def test_a_long_job_is_not_given_to_another_while_it_is_worked_on(bus: Bus) -> None:
    begun: list[str] = []
    finished: list[str] = []

    def worker(name: str):
        async def handler(_: Job) -> None:
            begun.append(name)
            await asyncio.sleep(2.3)
            finished.append(name)

        return handler

    for name in ("one", "other"):
        await (await bus.process(lease_s=1.5)).work("mail", worker(name))
    await (await bus.process()).enqueue(mail())
    await eventually(lambda: finished)
    assert len(begun) == 1


async def test_a_stopping_worker_finishes_its_job_and_leaves_the_rest(bus: Bus) -> None:
    first, done = await bus.process(), list[Job]()
    await first.work("mail", slowly(keep_in(done)))
    jobs = [mail(number) for number in range(3)]
    for job in jobs:
        await first.enqueue(job)
    await eventually(lambda: done)
    await bus.end(first)
    finished = list(done)
    await (await bus.process()).work("mail", keep_in(done))
    await eventually(lambda: len(done) >= 3)
    assert sorted(job.id for job in done) == sorted(job.id for job in jobs)
    assert len(finished) < 3


async def test_the_job_of_a_killed_worker_is_done_by_another(bus: Bus, tmp_path: Path) -> None:
    job = mail()
    await (await bus.process()).enqueue(job)
    await begin_and_be_killed(bus, tmp_path)
    done: list[Job] = []
    await (await bus.process(lease_s=1.0)).work("mail", keep_in(done))
    await eventually(lambda: done == [job])


async def test_a_job_that_ends_its_workers_is_parked(bus: Bus, tmp_path: Path) -> None:
    process, job, done = await bus.process(retry=Retry(attempts=1), lease_s=1.0), mail(), list[Job]()
    await process.enqueue(job)
    await begin_and_be_killed(bus, tmp_path)
    await process.work("mail", keep_in(done))
    parked = (await parked_in(process))[0]
    assert (parked.id, done) == (job.id, [])
    assert "may end the process" in parked.error


async def begin_and_be_killed(bus: Bus, tmp_path: Path) -> None:
    """A worker process that takes the job, and is killed before it is done."""
    log = tmp_path / "worker.log"
    settings = {"kind": bus.kind, "address": bus.address, "lease_s": 1.0}
    program = Path(__file__).with_name("doomed_worker.py")
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    doomed = Child([sys.executable, str(program), json.dumps(settings)], log=log, env=path)
    await eventually(lambda: "begun" in log.read_text())
    doomed.kill()


def slowly(handler):
    async def slow(job: Job) -> None:
        await asyncio.sleep(0.05)
        await handler(job)

    return slow
