"""Publish and subscribe."""

from __future__ import annotations

from services.chassis import context
from services.chassis.bus.event import Event
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import ignore, imported, keep_in
from tests.support.waiting import eventually


async def test_each_group_hears_an_event(bus: Bus) -> None:
    process = await bus.process()
    training: list[Event] = []
    reports: list[Event] = []
    await process.subscribe("training", ["activity.imported"], keep_in(training))
    await process.subscribe("reports", ["activity.imported", "activity.deleted"], keep_in(reports))
    event = imported()
    await process.publish(event)
    await eventually(lambda: training == [event] and reports == [event])


async def test_a_group_hears_only_its_topics(bus: Bus) -> None:
    process = await bus.process()
    heard: list[Event] = []
    await process.subscribe("training", ["activity.*", "account.closed"], keep_in(heard))
    await process.publish(Event.of("account.opened", key="p", version=1, data={}))
    await process.publish(Event.of("account.closed", key="p", version=2, data={}))
    await process.publish(Event.of("activity.deleted", key="a", version=2, data={}))
    await eventually(lambda: sorted(event.topic for event in heard) == ["account.closed", "activity.deleted"])


async def test_the_processes_of_a_group_share_its_events(bus: Bus) -> None:
    heard: dict[str, list[Event]] = {"one": [], "other": []}
    for handler in heard.values():
        await (await bus.process()).subscribe("training", ["activity.imported"], keep_in(handler))
    publisher = await bus.process()
    events = [imported(number) for number in range(40)]
    for event in events:
        await publisher.publish(event)
    await eventually(lambda: len(heard["one"]) + len(heard["other"]) >= len(events))
    assert {event.id for event in heard["one"] + heard["other"]} == {event.id for event in events}


async def test_what_is_published_while_a_group_is_away_is_kept_for_it(bus: Bus) -> None:
    first = await bus.process()
    await first.subscribe("training", ["activity.imported"], ignore)
    await bus.end(first)
    event = imported()
    await (await bus.process()).publish(event)
    heard: list[Event] = []
    await (await bus.process()).subscribe("training", ["activity.imported"], keep_in(heard))
    await eventually(lambda: heard == [event])


async def test_an_event_that_nobody_hears_is_published_all_the_same(bus: Bus) -> None:
    await (await bus.process()).publish(imported())


async def test_a_handler_runs_in_the_trace_of_the_request_that_caused_the_event(bus: Bus) -> None:
    process = await bus.process()
    seen: list[context.RequestContext | None] = []

    async def handler(_: Event) -> None:
        seen.append(context.current())

    await process.subscribe("training", ["activity.imported"], handler)
    cause = context.begin(None, timeout_s=5)
    context.enter(cause)
    event = imported(sub="person-1")
    context.enter(context.begin(None, timeout_s=5))
    await process.publish(event)
    await eventually(lambda: seen)
    assert seen[0] is not None
    assert (seen[0].trace_id, seen[0].operation, seen[0].sub) == (cause.trace_id, "activity.imported", "person-1")


async def test_a_group_no_longer_hears_a_topic_that_it_gave_up(bus: Bus) -> None:
    before, heard = await bus.process(), list[Event]()
    await before.subscribe("training", ["activity.imported", "activity.deleted"], ignore)
    await bus.end(before)
    now = await bus.process()
    await now.subscribe("training", ["activity.deleted"], keep_in(heard))
    await now.publish(imported())
    deleted = Event.of("activity.deleted", key="a1", version=2, data={})
    await now.publish(deleted)
    await eventually(lambda: heard)
    assert heard == [deleted]
