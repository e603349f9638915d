"""A person who asks to be forgotten is forgotten by the bus, too."""

from __future__ import annotations

from collections.abc import Callable

from services.chassis.bus.event import Event, Job
from services.chassis.bus.retry import Retry
from services.chassis.bus.service_bus import ServiceBus
from services.chassis.mongo import Database, Session
from tests.contract.bus.conftest import Bus
from tests.contract.bus.handlers import ignore, imported, keep_in, mail
from tests.contract.bus.test_failures import parked_in
from tests.support.waiting import eventually, eventually_is

Services = Callable[..., ServiceBus]


async def test_waiting_and_parked_messages_of_a_person_go_and_those_of_others_stay(bus: Bus) -> None:
    first = await bus.process(retry=Retry(attempts=1))
    await first.subscribe("training", ["activity.imported"], ignore)
    await bus.end(first)
    process = await bus.process(retry=Retry(attempts=1))
    for sub in ("leaving", "staying"):
        await process.publish(imported(1, sub=sub))
        await process.enqueue(Job.of("reports", {}, sub=sub))

    async def fail(_: Job) -> None:
        raise RuntimeError("broken")

    await process.work("reports", fail)
    await parked_in(process, 2)
    # whoever is asked works with the queues in which the messages wait
    heard: list[Event] = []
    again = await bus.process()
    await again.enqueue(mail(sub="leaving"))
    await again.enqueue(mail(sub="staying"))
    assert await again.forget("leaving") >= 2
    await again.subscribe("training", ["activity.imported"], keep_in(heard))
    jobs: list[Job] = []
    await again.work("mail", keep_in(jobs))
    await eventually(lambda: heard and jobs)
    assert [parked.message.sub for parked in await again.parked() if parked.message] == ["staying"]
    assert [job.sub for job in jobs] == ["staying"]


async def test_outbox_and_inbox_forget_a_person(bus: Bus, service_database: Database, service: Services) -> None:
    process = await bus.process()
    activities = service("activities", process, service_database)

    async def effect(_: Session, __: Event) -> None:
        """Nothing but the inbox's own notes."""

    async def body(session: Session) -> None:
        await activities.outbox.add(session, imported(1, sub="leaving"), imported(2, sub="staying"))

    await service_database.transact(body)
    for number, sub in enumerate(("leaving", "staying")):
        await activities.inbox.in_transaction("training", effect)(imported(number, sub=sub))
    assert await activities.forget("leaving") >= 3
    assert (await activities.outbox.backlog()).depth == 1
    for name in ("inbox", "inbox_versions", "outbox"):
        assert await service_database.collection(name).count_documents({"sub": "leaving"}) == 0
    assert await service_database.collection("inbox").count_documents({"sub": "staying"}) == 1


async def test_what_comes_late_of_somebody_who_was_deleted_is_dropped(
    bus: Bus, service_database: Database, service: Services
) -> None:
    """An event of another service, a job of our own: either would bring the person back."""
    process, effects = await bus.process(), service_database.collection("effects")
    deleted: set[str] = set()

    async def departed(sub: str) -> bool:
        return sub in deleted

    training = service("training", process, service_database, departed=departed)
    heard: list[Event] = []
    done: list[Job] = []

    async def effect(session: Session, event: Event) -> None:
        await effects.insert_one({"sub": event.sub}, session=session)

    await training.subscribe(["activity.imported"], keep_in(heard))
    await training.subscribe_in_transaction(["activity.imported"], effect, name="effects")
    await training.work("mail", keep_in(done))
    deleted.add("leaving")
    for number, sub in enumerate(("leaving", "staying")):
        await process.publish(imported(number, sub=sub))
        await process.enqueue(mail(sub=sub))

    async def all_arrived() -> bool:
        return bool(heard and done) and await effects.count_documents({}) == 1

    await eventually_is(True, all_arrived)
    assert [event.sub for event in heard] == ["staying"]
    assert [job.sub for job in done] == ["staying"]
    assert [document["sub"] async for document in effects.find()] == ["staying"]
    assert await service_database.collection("inbox").count_documents({"sub": "leaving"}) == 0
