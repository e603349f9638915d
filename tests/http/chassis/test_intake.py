"""A file that is too large for memory goes to its sink while it comes, and what nobody takes over is abandoned."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from services.chassis.answers import Answer
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.intake import Received
from services.chassis.mongo import Database
from services.chassis.operations import operation
from services.chassis.problems import Conflict
from tests.support.serving import Running, runner, running
from tests.support.waiting import eventually

LIMIT = 4 * 1024 * 1024
CONTENT = bytes(range(256)) * 4096  # 1 MiB
OURS = {"Authorization": "Bearer ann"}
RAW = {**OURS, "Content-Type": "application/octet-stream"}


@dataclass
class Shelf:
    """A sink that tells what became of it."""

    content: bytearray = field(default_factory=bytearray)
    largest: int = 0
    abandoned: int = 0
    gate: asyncio.Event | None = None
    fails: Exception | None = None

    async def write(self, chunk: bytes) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails is not None and self.content:
            raise self.fails
        self.largest = max(self.largest, len(chunk))
        self.content += chunk

    async def abandon(self) -> None:
        self.abandoned += 1


@dataclass
class Shelves:
    """All sinks that were asked for."""

    make: Callable[[], Shelf] = Shelf
    made: list[Shelf] = field(default_factory=list)

    def new(self) -> Shelf:
        self.made.append(self.make())
        return self.made[-1]


class Kept(Struct, frozen=True):
    name: str
    size: int
    sha256: str


class Archives(Endpoint[Shelves]):
    """Where large files go."""

    def intake(self) -> Shelf:
        return self.uses.new()

    @operation("keepArchive", scope="activities:write", status=202, body_limit=LIMIT)
    async def post(self, received: Received[Shelf], once: Once[Kept]) -> Answer[Kept]:
        """Keep a file."""
        return await self.keep(received, once)

    async def keep(self, received: Received[Shelf], once: Once[Kept]) -> Answer[Kept]:
        if received.filename == "refuse":
            raise Conflict
        kept = Kept(received.filename, received.size, received.sha256)
        await once.answering(Answer).keep(None, kept)
        received.take()
        return Answer(kept)


class HastyArchives(Archives):
    """The same, with a second for an answer."""

    @operation("keepArchiveAtOnce", scope="activities:write", status=202, body_limit=LIMIT, timeout_s=1.0)
    async def post(self, received: Received[Shelf], once: Once[Kept]) -> Answer[Kept]:
        """Keep a file."""
        return await self.keep(received, once)


ROUTES = (Route("/archives", Archives), Route("/hasty-archives", HastyArchives))


@pytest.fixture
def shelves() -> Shelves:
    return Shelves()


@pytest.fixture
async def app(shelves: Shelves, database: Database) -> AsyncIterator[Running]:
    callers = {"ann": runner("ann", "activities:write"), "reader": runner("bob", "activities:read")}
    async with running(ROUTES, uses=shelves, callers=callers, database=database) as app:
        yield app


async def send(
    app: Running, data: Any, headers: dict[str, str], path: str = "/archives", **options: Any
) -> tuple[int, dict[str, Any]]:
    async with app.client.post(app.url + path, data=data, headers=headers, **options) as answer:
        return answer.status, await answer.json(content_type=None)


def form(content: bytes = CONTENT, name: str = "file", filename: str = "all.zip") -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field(name, content, filename=filename, content_type="application/zip")
    return made


@pytest.mark.parametrize("kind", ["form", "octet-stream", "zip"])
async def test_the_file_comes_whole_in_small_pieces(app: Running, shelves: Shelves, kind: str) -> None:
    if kind == "form":
        status, told = await send(app, form(), OURS)
    else:
        headers = {**OURS, "Content-Type": f"application/{kind}"}
        status, told = await send(app, CONTENT, headers, params={"filename": "all.zip"})
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (status, told) == (202, {"name": "all.zip", "size": len(CONTENT), "sha256": digest})
    (shelf,) = shelves.made
    assert bytes(shelf.content) == CONTENT
    assert shelf.largest <= 128 * 1024
    await asyncio.sleep(0)
    assert shelf.abandoned == 0


async def test_a_client_is_read_no_faster_than_the_sink_takes(app: Running, shelves: Shelves) -> None:
    gate = asyncio.Event()
    shelves.make = lambda: Shelf(gate=gate)
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(64):
            yield bytes(512 * 1024)
            sent += 512 * 1024

    sending = asyncio.create_task(send(app, pieces(), RAW))
    await eventually(lambda: bool(shelves.made))
    for _ in range(50):  # turns of both event loops in one: were it not held back, it would all be sent by now
        await asyncio.sleep(0.01)
    held = sent
    gate.set()
    await sending
    assert held < 32 * 1024 * 1024


async def test_the_time_for_an_answer_begins_when_the_file_is_there(app: Running) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(1.6)  # the operation has one second, and overtime is looked for twice a second
        yield b"last"

    status, told = await send(app, slowly(), RAW, "/hasty-archives")
    assert (status, told["size"]) == (202, 9)


@pytest.mark.parametrize("way", ["declared", "chunked"])
async def test_what_is_too_large_is_refused_and_abandoned(app: Running, shelves: Shelves, way: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield CONTENT

    status, told = await send(app, io.BytesIO(bytes(10 * len(CONTENT))) if way == "declared" else pieces(), RAW)
    assert (status, told["type"]) == (413, "/problems/too-large")
    if way == "declared":
        assert shelves.made == []
    else:
        await eventually(lambda: shelves.made[0].abandoned == 1)


async def test_what_is_cut_off_is_abandoned(app: Running, shelves: Shelves) -> None:
    _, writer = await asyncio.open_connection(*app.url.removeprefix("http://").split(":"))
    head = "".join(f"{name}: {value}\r\n" for name, value in RAW.items())
    writer.write(f"POST /archives HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {LIMIT}\r\n\r\n".encode() + CONTENT)
    await writer.drain()
    await eventually(lambda: bool(shelves.made and shelves.made[0].content))
    writer.close()
    await writer.wait_closed()
    await eventually(lambda: shelves.made[0].abandoned == 1)
    await eventually(lambda: app.serving.requests.running == 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({**RAW, "Authorization": "Bearer reader"}, 403),
        ({**OURS, "Content-Type": "text/plain"}, 415),
        ({**RAW, "Content-Encoding": "gzip"}, 415),
        ({**OURS, "Content-Type": "multipart/form-data"}, 400),
    ],
)
async def test_what_is_refused_is_not_kept(
    app: Running, shelves: Shelves, headers: dict[str, str], status: int
) -> None:
    assert (await send(app, CONTENT, headers))[0] == status
    assert shelves.made == []


async def test_what_the_verb_refuses_is_abandoned(app: Running, shelves: Shelves) -> None:
    assert (await send(app, form(filename="refuse"), OURS))[0] == 409
    await eventually(lambda: shelves.made[0].abandoned == 1)


async def test_a_form_has_one_part_named_file(app: Running, shelves: Shelves) -> None:
    status, told = await send(app, form(name="other"), OURS)
    assert (status, told["errors"][0]["field"]) == (422, "other")
    assert (await send(app, form(b""), OURS))[0] == 422
    assert (await send(app, b"", RAW))[0] == 422
    two = form()
    two.add_field("file", b"more", filename="more.zip")
    assert (await send(app, two, OURS))[0] == 400
    cut = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nbeginning'
    assert (await send(app, cut, {**OURS, "Content-Type": "multipart/form-data; boundary=x"}))[0] == 400
    await eventually(lambda: all(shelf.abandoned for shelf in shelves.made))


async def test_the_same_key_and_file_are_answered_the_same(app: Running, shelves: Shelves) -> None:
    headers = {**OURS, "Idempotency-Key": "a"}
    first, again = await send(app, form(), headers), await send(app, form(), headers)
    assert first == again
    await eventually(lambda: [shelf.abandoned for shelf in shelves.made] == [0, 1])
    assert (await send(app, form(b"other"), headers))[0] == 422


async def test_a_sink_that_fails_is_our_problem(app: Running, shelves: Shelves) -> None:
    shelves.make = lambda: Shelf(fails=Conflict("full"))
    status, told = await send(app, CONTENT, RAW)
    assert (status, told["detail"]) == (409, "full")
    assert shelves.made[0].abandoned == 1
