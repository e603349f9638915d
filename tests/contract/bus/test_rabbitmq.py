"""What only a broker does to its clients."""

from __future__ import annotations

import aio_pika
import pytest

from services.chassis.bus.event import Job
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import keep_in, mail
from tests.support.waiting import eventually, eventually_is


@pytest.mark.parametrize("bus", ["rabbitmq"], indirect=True)
async def test_a_worker_whose_queue_was_taken_away_comes_back(bus: Bus) -> None:
    process, done = await bus.process(), list[Job]()
    await process.work("mail", keep_in(done))
    async with await aio_pika.connect(bus.address["url"]) as operator, operator.channel() as channel:
        await channel.queue_delete(f"{bus.address['prefix']}.jobs.mail")
    job = mail()
    await process.enqueue(job)
    await eventually(lambda: done == [job])


@pytest.mark.parametrize("bus", ["rabbitmq"], indirect=True)
async def test_what_the_broker_gives_up_is_seen_and_replayed(bus: Bus) -> None:
    process, done, job = await bus.process(), list[Job](), mail()
    await process.enqueue(job)
    async with await aio_pika.connect(bus.address["url"]) as operator, operator.channel() as channel:
        queue = await channel.get_queue(f"{bus.address['prefix']}.jobs.mail")
        await (await queue.get()).reject(requeue=False)

    async def parked() -> list[tuple[str, str]]:
        return [(each.id, each.queue) for each in await process.parked()]

    await eventually_is([(job.id, "jobs.mail")], parked)
    assert await process.replay() == 1
    await process.work("mail", keep_in(done))
    await eventually(lambda: done == [job])
