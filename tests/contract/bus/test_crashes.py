"""The server that carries the messages is killed (-9) in the middle of traffic, and started again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.chassis.bus.event import Event, Job
from services.chassis.bus.inbox import Inbox
from services.chassis.bus.outbox import Outbox
from services.chassis.bus.relay import Relay
from services.chassis.bus.retry import Retry
from services.chassis.bus.transport import BusUnavailable, Data
from services.chassis.logs import Logger
from services.chassis.mongo import Database, Session
from services.chassis.problems import Unavailable
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import imported, keep_in, mail
from tests.contract.bus.test_inbox import Tally
from tests.support.recorded import RecordedMetrics
from tests.support.waiting import eventually, eventually_is

PATIENT = Retry(attempts=20, first_s=0.05, most_s=0.5)


async def test_nothing_confirmed_is_lost_and_each_event_has_one_effect(
    bus: Bus, service_database: Database, log: Logger, metrics: RecordedMetrics
) -> None:
    publisher, tally, inbox = await bus.process(retry=PATIENT), Tally(service_database), Inbox(service_database)
    handle = inbox.in_transaction("training", tally.count)
    for _ in range(2):
        await (await bus.process(retry=PATIENT, lease_s=2.0)).subscribe("training", ["activity.imported"], handle)
    outbox = Outbox(service_database, hold_s=2.0)
    relay = Relay(outbox, publisher, log=log, metrics=metrics, poll_s=0.1)
    relay.start()

    saved: list[Event] = []
    wanted = 60

    async def traffic(key: int) -> None:
        while len(saved) < wanted:
            event = imported(key, version=0)

            async def body(session: Session, event: Event = event) -> None:
                await outbox.add(session, event)

            try:
                await service_database.transact(body)
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                saved.append(event)
                await asyncio.sleep(0.02)

    writers = [asyncio.create_task(traffic(key)) for key in range(3)]
    await eventually(lambda: len(saved) >= 20)
    bus.kill_server()
    await bus.revive_server()
    wanted = len(saved) + 30
    await asyncio.gather(*writers, *map(traffic, range(3)))
    assert await relay.drain(within_s=60)
    await relay.stop()

    async def missing() -> set[str]:
        return {event.id for event in saved} - set(await tally.counts())

    await eventually_is(set(), missing)
    assert set((await tally.counts()).values()) == {1}


async def test_a_confirmed_job_survives_and_its_worker_comes_back(bus: Bus) -> None:
    process, done = await bus.process(retry=PATIENT, lease_s=2.0), list[Job]()
    jobs = [mail(number) for number in range(10)]
    for job in jobs:
        await process.enqueue(job)
    bus.kill_server()
    await bus.revive_server()
    await process.work("mail", keep_in(done))
    await eventually(lambda: {job.id for job in jobs} <= {job.id for job in done})


async def test_without_its_server_the_bus_says_so_in_time_and_recovers(bus: Bus) -> None:
    process, heard = await bus.process(retry=PATIENT), list[Event]()
    told: list[Data] = []

    async def listener(data: Data) -> None:
        told.append(data)

    async def echo(data: Data) -> Data:
        return data

    await process.subscribe("training", ["activity.imported"], keep_in(heard))
    await process.listen("live", listener)
    await process.respond("echo", echo)
    await process.check()
    bus.kill_server()
    async with asyncio.timeout(30):
        assert await refused(lambda: process.publish(imported()))
        assert await refused(process.check)
    await bus.revive_server()
    await eventually_is(False, lambda: refused(process.check))
    event = imported()
    await process.publish(event)
    assert await process.request("echo", {"number": 2}, timeout_s=60) == {"number": 2}
    await eventually(lambda: event in heard)

    async def hears_broadcasts() -> bool:
        await process.broadcast("live", {"number": 3})
        return {"number": 3} in told

    await eventually_is(True, hears_broadcasts)


async def refused(call: Callable[[], object]) -> bool:
    """Whether the call says that the bus is not there."""
    try:
        await call()
    except BusUnavailable:
        return True
    return False
