"""The inbox: at-least-once delivery becomes one effect, and old news is dropped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.chassis.bus.event import Event
from services.chassis.bus.inbox import Inbox
from services.chassis.bus.service_bus import ServiceBus
from services.chassis.bus.transport import Transport
from services.chassis.mongo import Database, DuplicateKeyError, Session
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import imported
from tests.support.waiting import eventually_is


class Tally:
    """A service's own data: how often each event took effect, and the version it knows of each aggregate."""

    def __init__(self, database: Database) -> None:
        self._effects = database.collection("effects")

    async def count(self, session: Session, event: Event) -> None:
        await self._effects.insert_one({"event": event.id, "key": event.key, "version": event.version}, session=session)

    async def counts(self) -> Counter[str]:
        return Counter([effect["event"] async for effect in self._effects.find()])

    async def versions(self, key: str) -> list[int]:
        return [effect["version"] async for effect in self._effects.find({"key": key})]


async def test_an_event_published_twice_has_one_effect(
    bus: Bus, service_database: Database, service: Callable[[str, Transport, Database], ServiceBus]
) -> None:
    process, tally = await bus.process(), Tally(service_database)
    training = service("training", process, service_database)
    await training.subscribe_in_transaction(["activity.imported"], tally.count)
    events = [imported(number) for number in range(5)]
    for event in events * 3:
        await process.publish(event)
    await eventually_is({event.id: 1 for event in events}, tally.counts)


async def test_two_processes_that_handle_the_same_event_at_once_have_one_effect(service_database: Database) -> None:
    tally, inbox = Tally(service_database), Inbox(service_database)
    handle, event = inbox.in_transaction("training", tally.count), imported()
    await asyncio.gather(*(handle(event) for _ in range(6)))
    assert await tally.counts() == {event.id: 1}


async def test_two_readers_have_an_effect_each(service_database: Database) -> None:
    tally, inbox, event = Tally(service_database), Inbox(service_database), imported()
    for reader in ("training", "reports"):
        await inbox.in_transaction(reader, tally.count)(event)
    assert await tally.counts() == {event.id: 2}


async def test_a_failed_effect_is_not_marked_as_seen(service_database: Database) -> None:
    tally, inbox, event = Tally(service_database), Inbox(service_database), imported()

    async def fail(session: Session, event: Event) -> None:
        await tally.count(session, event)
        raise LookupError("not now")

    with pytest.raises(LookupError):
        await inbox.in_transaction("training", fail)(event)
    assert await tally.counts() == {}
    await inbox.in_transaction("training", tally.count)(event)
    assert await tally.counts() == {event.id: 1}


async def test_an_effects_own_duplicate_key_is_the_effects_own(service_database: Database) -> None:
    effects = service_database.collection("effects")
    await effects.insert_one({"_id": 1})

    async def collide(session: Session, _: Event) -> None:
        await effects.insert_one({"_id": 1}, session=session)

    with pytest.raises(DuplicateKeyError):
        await Inbox(service_database).in_transaction("training", collide)(imported())


async def test_what_no_transaction_holds_is_done_once_and_again_only_where_it_failed(
    service_database: Database,
) -> None:
    done: list[str] = []

    async def send(event: Event) -> None:
        done.append(event.id)
        if len(done) == 1:
            raise RuntimeError("not now")

    handle, event = Inbox(service_database).afterwards("mail", send), imported()
    with pytest.raises(RuntimeError):
        await handle(event)
    await handle(event)
    await handle(event)
    assert done == [event.id] * 2


async def test_events_without_a_version_are_never_old(service_database: Database) -> None:
    tally = Tally(service_database)
    handle = Inbox(service_database).in_transaction("training", tally.count)
    for version in (0, 7, 0, 3):
        await handle(imported(1, version=version))
    assert sorted(await tally.versions("a1")) == [0, 0, 7]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 4)), min_size=1, max_size=10), again=st.data())
async def test_in_whatever_order_events_come_each_has_one_effect_at_most_and_the_newest_wins(
    service_database: Database, deliveries: list[tuple[int, int]], again: st.DataObject
) -> None:
    for name in ("effects", "inbox", "inbox_versions"):
        await service_database.collection(name).delete_many({})
    tally = Tally(service_database)
    handle = Inbox(service_database).in_transaction("training", tally.count)
    events = {each: imported(each[0], version=each[1]) for each in deliveries}
    order = again.draw(st.permutations(deliveries + deliveries[:3]))
    for each in order:
        await handle(events[each])
    assert all(count == 1 for count in (await tally.counts()).values())
    for key in {key for key, _ in deliveries}:
        versions = await tally.versions(f"a{key}")
        assert versions == sorted(versions), "an old version had an effect after a newer one"
        assert versions[-1] == max(version for each, version in deliveries if each == key)
