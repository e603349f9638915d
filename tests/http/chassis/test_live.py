"""Server-sent events come from a stored log: in order, resumed after any number, the same from every worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from services.chassis.answers import Event
from services.chassis.live import COLLECTIONS, HEARTBEAT, EventLog, as_text, send
from services.chassis.mongo import Database, Session


class Loudspeaker:
    """Broadcasts within a test, to every worker that listens."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Mapping[str, Any]], Awaitable[None]]] = []

    async def broadcast(self, channel: str, data: Mapping[str, Any]) -> None:
        for listener in self.listeners:
            await listener(data)

    async def listen(self, channel: str, listener: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
        self.listeners.append(listener)


@pytest.fixture
async def workers(database: Database) -> tuple[EventLog, EventLog]:
    """The log of one service in two of its workers."""
    await database.apply(COLLECTIONS)
    bus = Loudspeaker()
    made = EventLog(database, bus), EventLog(database, bus)
    for log in made:
        await log.start()
    return made


async def take(events: AsyncIterator[Event], count: int) -> list[tuple[str | None, Any]]:
    async with asyncio.timeout(60):
        return [(event.id, event.data) async for event, _ in _counted(events, count)]


async def _counted(events: AsyncIterator[Event], count: int) -> AsyncIterator[tuple[Event, int]]:
    number = 0
    async for event in events:
        number += 1
        yield event, number
        if number == count:
            return


async def test_every_worker_tells_the_same_from_any_number_on(workers: tuple[EventLog, EventLog]) -> None:
    here, there = workers
    for done in range(5):
        await here.append(None, "import-1", {"done": done}, sub="ann")
    everything = [(str(number), {"done": number - 1}) for number in range(1, 6)]
    assert await take(here.follow("import-1"), 5) == everything
    assert await take(there.follow("import-1"), 5) == everything
    assert await take(there.follow("import-1", after=3), 2) == everything[3:]


async def test_a_follower_is_woken_by_another_worker(
    workers: tuple[EventLog, EventLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.chassis.live.POLL_S", 3600)  # it is found by the wake, or not at all
    here, there = workers
    following = asyncio.create_task(take(there.follow("import-1"), 1))
    await asyncio.sleep(0.1)
    await here.append(None, "import-1", {"done": 1}, sub="ann")
    await here.wake("import-1")
    assert await following == [("1", {"done": 1})]


async def test_an_event_is_there_only_with_what_it_tells_of(
    workers: tuple[EventLog, EventLog], database: Database
) -> None:
    here, _ = workers

    async def fails(session: Session) -> None:
        await here.append(session, "import-1", {"done": 1}, sub="ann")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.transact(fails)
    await here.append(None, "import-1", {"done": 2}, sub="ann")
    assert await take(here.follow("import-1"), 1) == [("1", {"done": 2})]


async def test_a_person_is_forgotten(workers: tuple[EventLog, EventLog], database: Database) -> None:
    here, _ = workers
    await here.append(None, "of-ann", {}, sub="ann")
    await here.append(None, "of-bob", {}, sub="bob")
    await here.forget("ann")
    assert [document["sub"] async for document in database.collection("live_events").find()] == ["bob"]


async def written(
    source: AsyncIterator[Event], *, until: float | None = None, begun: asyncio.Event | None = None
) -> bytes:
    """All that is written of these events; `begun` is set with the first of it."""
    out = bytearray()

    async def write(chunk: bytes) -> None:
        out.extend(chunk)
        if begun is not None:
            begun.set()

    await send(source, write, until=until, draining=asyncio.Event())
    return bytes(out)


async def test_an_event_reads_as_the_standard_has_it() -> None:
    assert as_text(Event({"a": "b\nc"}, id="7", name="tick")) == b'id: 7\nevent: tick\ndata: {"a":"b\\nc"}\n\n'


async def test_a_quiet_stream_is_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.chassis.live.HEARTBEAT_S", 0.05)

    said_something = asyncio.Event()

    async def quiet() -> AsyncIterator[Event]:
        await said_something.wait()
        yield Event(1)

    said = await written(quiet(), begun=said_something)
    assert said.startswith(HEARTBEAT)
    assert said.endswith(b"data: 1\n\n")


async def test_a_stream_ends_when_the_token_does() -> None:
    async def endless() -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield Event(1)

    async with asyncio.timeout(60):
        assert await written(endless(), until=time.time() + 0.2) == b""
