"""Too much, half of it, a kill in the middle: memory stays bounded, which is measured, and nothing is kept by halves."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import aiohttp
import psutil
import pytest
import pytest_asyncio

from services.activities.store.originals import Originals
from services.chassis.mongo import DatabaseError
from tests.support.database import DatabaseServer, answers
from tests.support.memory import HighWater
from tests.support.recordings import START, a_run, gpx
from tests.support.runners import API, Runner, Told
from tests.support.track_process import TrackProcess, track_process
from tests.support.waiting import eventually_is

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024**2
BUDGET_MIB, QUEUE, WORKERS = 64, 6, 2
AT_ONCE, EACH_MIB = 50, 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """A database server of these tests alone."""
    server = DatabaseServer(tmp_path_factory.mktemp("database-of-floods"))
    server.start()
    yield server
    server.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def narrow(server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TrackProcess]:
    """A service that holds little, in a process of its own."""
    limits = {"BODY_BUDGET_MIB": BUDGET_MIB, "PARSER_QUEUE": QUEUE, "PARSER_WORKERS": WORKERS}
    environ = {f"RUNNERLY_{name}": str(value) for name, value in limits.items()}
    async with track_process(server, tmp_path_factory.mktemp("floods"), **environ) as process:
        yield process


def on_day(number: int, mib: int = 0) -> bytes:
    """A run on a day of its own, with so much blank space in its file."""
    whole = gpx(a_run(300, start=START + timedelta(days=number), every=5))
    return whole.replace(b"<trk>", b" " * mib * MIB + b"<trk>", 1)


async def kept_by_halves(process: TrackProcess) -> dict[str, set[object]]:
    """What belongs to nothing, once what nobody claimed is swept."""
    database = process.database
    await Originals(database).sweep(older_than=timedelta(0))

    async def ids(name: str, field: str = "_id") -> set[object]:
        return {one.get(field) async for one in database.collection(name).find({}, {field: 1})} - {None}

    activities, used = await ids("activities"), await ids("activities", "original")
    return {
        "activities without streams, or streams without one": activities ^ await ids("streams"),
        "files without an activity, or activities without their file": used ^ await ids("originals.files"),
        "pieces of no file": await ids("originals.chunks", "files_id") ^ used,
        "notes": await ids("unclaimed_originals"),
        "archives": await ids("archives.files") | await ids("archives.chunks", "files_id"),
    }


def nothing(halves: dict[str, set[object]]) -> bool:
    return not any(halves.values())


async def count(runner: Runner) -> int:
    """How many activities the statistics know of."""
    return sum(one["activities"] for one in (await runner.get("/stats", by="year")).items)


async def test_fifty_large_files_at_once_are_taken_or_told_when_to_come_back_in_bounded_memory(
    narrow: TrackProcess,
) -> None:
    runner = await narrow.runner("crowd")
    await runner.uploaded(on_day(1000))
    files = [on_day(number, EACH_MIB) for number in range(AT_ONCE)]
    memory = HighWater(narrow.pid)
    told = await asyncio.gather(*(runner.upload(content) for content in files))
    grown_mib = memory.grown_mib()
    statuses = Counter(one.status for one in told)
    assert set(statuses) == {201, 503}
    assert all(int(one.headers["Retry-After"]) >= 1 for one in told if one.status == 503)
    # all that may be held, a form that is taken apart, and for each process that reads a file on its way
    assert grown_mib < BUDGET_MIB + 14 * EACH_MIB < AT_ONCE * EACH_MIB / 2
    assert nothing(await kept_by_halves(narrow))
    assert await count(runner) == statuses[201] + 1
    late = [content for content, one in zip(files, told, strict=True) if one.status == 503]
    assert (await runner.upload(late[0])).status == 201


async def send_half(runner: Runner, path: str, *, declared: int | None, sent: int) -> None:
    """Begin to send a large file, as the length is declared or in chunks, and leave in the middle."""
    host, port = runner.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    length = "Transfer-Encoding: chunked" if declared is None else f"Content-Length: {declared}"
    head = (
        f"POST {API}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {runner.token}\r\n"
        f"Content-Type: application/octet-stream\r\n{length}\r\n\r\n"
    )
    writer.write(head.encode())
    piece = os.urandom(MIB)
    for _ in range(sent // MIB):
        writer.write(piece if declared is not None else b"%x\r\n%b\r\n" % (MIB, piece))
        await writer.drain()
    writer.transport.abort()


async def test_200_mb_that_are_cut_off_in_the_middle_are_neither_held_nor_kept(narrow: TrackProcess) -> None:
    runner = await narrow.runner("cut off")
    await runner.uploaded(on_day(0))
    memory = HighWater(narrow.pid)
    await send_half(runner, "/imports", declared=200 * MIB, sent=100 * MIB)
    await until_nothing_is_left(narrow)
    assert memory.grown_mib() < 50, "an archive goes through, a megabyte at a time"

    memory = HighWater(narrow.pid)
    await asyncio.gather(
        send_half(runner, "/activities", declared=200 * MIB, sent=100 * MIB),
        send_half(runner, "/activities", declared=None, sent=100 * MIB),
        send_half(runner, "/activities", declared=60 * MIB, sent=30 * MIB),
    )
    await until_nothing_is_left(narrow)
    assert memory.grown_mib() < BUDGET_MIB + 40, "a file is held as long as it may become one, within the budget"
    assert await count(runner) == 1
    assert (await runner.get("/imports")).items == []


async def until_nothing_is_left(process: TrackProcess) -> None:
    """The database ends the transactions of who was killed after a minute, and keeps what is in them from others until then."""

    async def is_nothing_left() -> bool:
        try:
            return nothing(await kept_by_halves(process))
        except DatabaseError:
            return False

    await eventually_is(True, is_nothing_left, within_s=120)


@pytest.mark.parametrize("victim", ["service", "workers", "database"])
async def test_a_kill_while_files_are_taken_loses_none_that_was_answered_and_keeps_none_by_halves(
    narrow: TrackProcess, server: DatabaseServer, victim: str
) -> None:
    runner = await narrow.runner(f"{victim} killed")
    answered: list[Told] = []

    async def upload(number: int) -> None:
        try:
            told = await runner.upload(on_day(number))
        except aiohttp.ClientError:  # it went down with the service
            return
        assert told.status in {201, 503}, told.body
        if told.status == 201:
            answered.append(told)

    uploads = [asyncio.create_task(upload(number)) for number in range(40)]
    async with asyncio.timeout(60):
        while len(answered) < 3:
            await asyncio.sleep(0.001)
    if victim == "service":
        narrow.kill()
        await asyncio.gather(*uploads)
        await narrow.start()
    elif victim == "database":
        server.kill()
        await asyncio.to_thread(server.start)
    else:
        for worker in workers_of(narrow):
            worker.kill()
    await asyncio.gather(*uploads)
    await answers(narrow.mongo)
    async with asyncio.timeout(60):
        while (listed := await runner.get("/activities", limit=100)).status != 200:
            await asyncio.sleep(0.1)
    found = {one["id"] for one in listed.items}
    assert {one.json["id"] for one in answered} <= found
    assert await count(runner) == len(found)
    await until_nothing_is_left(narrow)


def workers_of(process: TrackProcess) -> list[psutil.Process]:
    """The processes that read its files."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if any("spawn_main" in part for part in child.cmdline())]
