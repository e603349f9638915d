"""Outbox and relay: what a transaction has to tell is told if, and only if, it committed - in order, by any process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.chassis.bus.event import Event, Job, Message
from services.chassis.bus.outbox import Outbox
from services.chassis.bus.relay import Relay
from services.chassis.bus.service_bus import ServiceBus
from services.chassis.bus.transport import BusUnavailable, Transport
from services.chassis.logs import Logger
from services.chassis.mongo import Database, Session
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import ignore, imported, keep_in, mail
from tests.support.recorded import RecordedMetrics
from tests.support.waiting import eventually

Services = Callable[[str, Transport, Database], ServiceBus]


async def save(database: Database, outbox: Outbox, *messages: Message) -> None:
    """What a service does: a change and what there is to tell of it, in one transaction."""

    async def body(session: Session) -> None:
        await database.collection("effects").insert_one({}, session=session)
        await outbox.add(session, *messages)

    await database.transact(body)


async def test_what_is_added_is_told_soon_after_the_commit(
    bus: Bus, service_database: Database, service: Services
) -> None:
    process, events, jobs = await bus.process(), list[Event](), list[Job]()
    activities = service("activities", process, service_database)
    await process.subscribe("training", ["activity.imported"], keep_in(events))
    await process.work("mail", keep_in(jobs))
    activities.start()
    event, job = imported(), mail()
    await save(service_database, activities.outbox, event, job)
    await eventually(lambda: events == [event] and jobs == [job])
    await activities.stop()
    assert (await activities.relay.backlog()).depth == 0


async def test_what_is_rolled_back_is_never_told(bus: Bus, service_database: Database, service: Services) -> None:
    process, heard = await bus.process(), list[Event]()
    activities = service("activities", process, service_database)
    await process.subscribe("training", ["activity.imported"], keep_in(heard))
    activities.start()

    async def body(session: Session) -> None:
        await activities.outbox.add(session, imported(1))
        raise LookupError("the change was not possible")

    with pytest.raises(LookupError):
        await service_database.transact(body)
    told = imported(2)
    await save(service_database, activities.outbox, told)
    await eventually(lambda: heard)
    await activities.stop()
    assert heard == [told]


async def test_several_relays_keep_the_order_of_each_key(
    bus: Bus, service_database: Database, service: Services
) -> None:
    heard = Watched(await bus.process())
    relays = [service("activities", heard, service_database) for _ in range(3)]
    for each in relays:
        each.start()
    for version in range(1, 11):
        writers = (
            save(service_database, relays[(key + version) % 3].outbox, imported(key, version=version))
            for key in range(4)
        )
        await asyncio.gather(*writers)
    await eventually(lambda: len(heard.published) >= 40)
    await asyncio.gather(*(each.stop() for each in relays))
    for key in range(4):
        assert [event.version for event in heard.published if event.key == f"a{key}"] == list(range(1, 11))


async def test_another_process_tells_what_a_dead_one_left(
    bus: Bus, service_database: Database, log: Logger, metrics: RecordedMetrics
) -> None:
    process, heard = await bus.process(), list[Event]()
    await process.subscribe("training", ["activity.imported"], keep_in(heard))
    dead = Outbox(service_database, hold_s=0.5)
    events = [imported(1, version=version) for version in (1, 2, 3)]
    for event in events:
        await save(service_database, dead, event)
    successor = Relay(Outbox(service_database), process, log=log, metrics=metrics, poll_s=0.1)
    successor.start()
    await eventually(lambda: sorted(heard, key=lambda event: event.version) == events)
    await successor.stop()


async def test_a_relay_waits_for_what_comes_first_and_is_held_by_another(
    service_database: Database, log: Logger, metrics: RecordedMetrics
) -> None:
    publisher = Unsteady()
    other, ours = Outbox(service_database), Outbox(service_database)
    await save(service_database, other, imported(1, version=1))
    await save(service_database, ours, imported(1, version=2), imported(2, version=1))
    await Relay(ours, publisher, log=log, metrics=metrics).once()
    assert [(event.key, event.version) for event in publisher.published] == [("a2", 1)]
    await Relay(other, publisher, log=log, metrics=metrics).once()
    await Relay(ours, publisher, log=log, metrics=metrics).once()
    assert [event.version for event in publisher.published if event.key == "a1"] == [1, 2]


async def test_nothing_is_lost_and_order_is_kept_while_the_transport_fails(
    service_database: Database, log: Logger, metrics: RecordedMetrics
) -> None:
    publisher, outbox = Unsteady(fails=7), Outbox(service_database)
    relay = Relay(outbox, publisher, log=log, metrics=metrics, poll_s=0.1)
    for version in range(1, 6):
        await save(service_database, outbox, imported(1, version=version), imported(2, version=version))
    backlog = await relay.backlog()
    assert backlog.depth == 10
    assert 0 < backlog.age_s < 60
    relay.start()
    assert not await relay.drain(within_s=0)
    assert await relay.drain(within_s=60)
    await relay.stop()
    for key in ("a1", "a2"):
        assert [event.version for event in publisher.published if event.key == key] == [1, 2, 3, 4, 5]
    assert (await relay.backlog()).depth == 0


async def test_draining_tells_what_the_last_requests_added(
    bus: Bus, service_database: Database, service: Services
) -> None:
    process = await bus.process()
    await process.subscribe("training", ["activity.imported"], ignore)
    activities = service("activities", process, service_database)
    activities.start()
    await save(service_database, activities.outbox, *(imported(number) for number in range(20)))
    await activities.stop()
    assert (await activities.relay.backlog()).depth == 0


async def test_how_much_waits_is_measured(service_database: Database, log: Logger, metrics: RecordedMetrics) -> None:
    outbox = Outbox(service_database)
    await save(service_database, outbox, imported(1), imported(2))
    relay = Relay(outbox, Unsteady(fails=1000), log=log, metrics=metrics, service="activities")
    relay.start()
    await eventually(lambda: metrics.named("outbox.age"))
    await relay.stop()
    depth, age = metrics.named("outbox.depth")[0], metrics.named("outbox.age")[0]
    assert (depth.value, depth.labels) == (2, {"service": "activities"})
    assert 0 < age.value < 60


class Watched:
    """A transport that remembers the order in which it was asked to publish."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.published: list[Event] = []

    async def publish(self, event: Event) -> None:
        self.published.append(event)
        await self._transport.publish(event)

    def __getattr__(self, name: str):
        return getattr(self._transport, name)


class Unsteady:
    """A publisher that fails on the first so many."""

    def __init__(self, fails: int = 0) -> None:
        self._fails = fails
        self.published: list[Event] = []

    async def publish(self, event: Event) -> None:
        if self._fails:
            self._fails -= 1
            raise BusUnavailable
        self.published.append(event)
