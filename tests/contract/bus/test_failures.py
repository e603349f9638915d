"""What becomes of a message whose handler fails."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.bus.event import Event, Job
from services.chassis.bus.retry import Retry
from services.chassis.bus.transport import Parked, Poison, Transport
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import fail_times, imported, keep_in, mail
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.waiting import eventually, eventually_is


async def test_a_failing_message_comes_back_later_and_later_until_it_is_handled(bus: Bus) -> None:
    times: list[float] = []

    async def handler(_: Event) -> None:
        times.append(time.monotonic())
        if len(times) < 4:
            raise RuntimeError("not yet")

    process = await bus.process(retry=Retry(attempts=5, first_s=0.2, most_s=60))
    await process.subscribe("training", ["activity.imported"], handler)
    await process.publish(imported())
    await eventually(lambda: len(times) == 4)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(wait >= least for wait, least in zip(waits, (0.1, 0.2, 0.4), strict=True)), waits
    assert await process.parked() == []


async def test_a_message_that_fails_every_time_is_parked_and_can_be_replayed(
    bus: Bus, recorded_logs: RecordedLogs, metrics: RecordedMetrics
) -> None:
    process, tried = await bus.process(), list[Job]()
    await process.work("mail", fail_times(3, tried))
    job = mail()
    await process.enqueue(job)
    parked = (await parked_in(process))[0]
    assert (parked.id, parked.queue, parked.message, parked.attempts) == (job.id, "jobs.mail", job, 3)
    assert "not this time" in parked.error
    assert len(tried) == 3
    assert recorded_logs.events.count("event.failed") == 2
    assert recorded_logs.events.count("event.parked") == 1
    assert [sample.labels["outcome"] for sample in metrics.named("bus.handled")] == ["failed", "failed", "parked"]

    assert await process.replay(ids=[job.id]) == 1
    await eventually(lambda: len(tried) == 4)
    assert tried == [job] * 4
    assert await process.parked() == []


async def test_poison_is_parked_at_once(bus: Bus) -> None:
    tried: list[Event] = []

    async def handler(event: Event) -> None:
        tried.append(event)
        raise Poison("no such activity type")

    process = await bus.process()
    await process.subscribe("training", ["activity.imported"], handler)
    await process.publish(imported())
    assert "no such activity type" in (await parked_in(process))[0].error
    assert len(tried) == 1


async def test_only_the_group_that_failed_has_it_parked_and_replayed(bus: Bus) -> None:
    process = await bus.process()
    training: list[Event] = []
    reports: list[Event] = []
    await process.subscribe("training", ["activity.imported"], fail_times(3, training))
    await process.subscribe("reports", ["activity.imported"], keep_in(reports))
    await process.publish(imported())
    assert (await parked_in(process))[0].queue == "events.training"
    assert await process.parked("events.reports") == []
    assert await process.replay(queue="events.reports") == 0
    assert await process.replay(queue="events.training") == 1
    await eventually(lambda: len(training) == 4 and reports)
    assert len(reports) == 1


async def test_the_parked_are_listed_oldest_first_and_all_replayed_at_once(bus: Bus) -> None:
    process, mended, done = await bus.process(retry=Retry(attempts=1)), False, list[Job]()

    async def handler(job: Job) -> None:
        if not mended:
            raise RuntimeError("broken")
        done.append(job)

    await process.work("mail", handler)
    jobs = [mail(number) for number in range(3)]
    for count, job in enumerate(jobs, start=1):
        await process.enqueue(job)
        await parked_in(process, count)
    assert [parked.id for parked in await process.parked()] == [job.id for job in jobs]
    assert [parked.id for parked in await process.parked(limit=2)] == [job.id for job in jobs[:2]]
    mended = True
    assert await process.replay() == 3
    await eventually(lambda: len(done) == 3)


async def test_a_failing_message_keeps_no_other_waiting(bus: Bus) -> None:
    done: list[int] = []

    async def handler(job: Job) -> None:
        if job.data["number"] == 0:
            raise RuntimeError("broken")
        done.append(job.data["number"])

    process = await bus.process(retry=Retry(attempts=5, first_s=300))
    await process.work("mail", handler, concurrency=1)
    for number in range(5):
        await process.enqueue(mail(number))
    await eventually(lambda: done == [1, 2, 3, 4])


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_the_back_off_grows_stays_bounded_and_has_jitter(attempt: int, chance: float) -> None:
    retry = Retry(attempts=12, first_s=1.0, most_s=300.0)
    delay = retry.delay_s(attempt, lambda: chance)
    step = min(300.0, 2.0 ** (attempt - 1)) if attempt < 20 else 300.0
    assert step / 2 <= delay <= step


async def parked_in(process: Transport, count: int = 1) -> list[Parked]:
    """What is parked, as soon as it is so many."""
    found: list[Parked] = []

    async def enough() -> bool:
        found[:] = await process.parked()
        return len(found) >= count

    await eventually_is(True, enough)
    return found
