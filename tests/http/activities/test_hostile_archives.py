"""What nobody should send: cut off, over-full, lying about itself. A clear refusal each, and nothing left."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from tests.http.activities.test_imports import a_file, all_of, ended, left, send
from tests.support import archives
from tests.support.archives import zipped
from tests.support.memory import HighWater
from tests.support.processes import assert_within
from tests.support.runners import API, Runner, Track

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024**2
SAID, SENT = 200 * MIB, 12 * MIB


async def cut_off(runner: Runner, path: str, declared: int, sent: int) -> None:
    """Begin to send a large file, and leave."""
    host, port = runner.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {API}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {runner.token}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {declared}\r\n\r\n"
    )
    writer.write(head.encode())
    piece = os.urandom(MIB)
    for _ in range(sent // MIB):
        writer.write(piece)
        await writer.drain()
    writer.transport.abort()


async def test_uploads_that_are_cut_off_leave_nothing(runner: Runner, shared_track: Track) -> None:
    memory = HighWater(os.getpid())
    await asyncio.gather(
        *(cut_off(runner, "/imports", SAID, SENT) for _ in range(4)),
        *(cut_off(runner, "/activities", SAID, SENT) for _ in range(2)),
        *(cut_off(runner, "/activities", 60 * MIB, SENT) for _ in range(2)),
    )
    async with asyncio.timeout(60):
        while any((kept := await left(shared_track, runner)).values()):
            await asyncio.sleep(0.1)
    assert kept == {"archives.files": [], "archives.chunks": [], "unclaimed_archives": []}
    assert (await runner.get("/imports")).items == []
    assert await all_of(runner) == []
    assert memory.grown_mib() < 8 * SENT / MIB, "what was sent was not all in memory at once"


async def test_an_archive_over_the_limit_is_refused_before_it_is_sent(runner: Runner) -> None:
    host, port = runner.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {API}/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {runner.token}\r\n"
        f"Content-Type: application/zip\r\nContent-Length: {2 * 1024 * MIB + 100 * 1024}\r\n\r\n"
    )
    writer.write(head.encode())
    await writer.drain()
    for _ in range(4):
        writer.write(bytes(MIB))
        await writer.drain()
    writer.transport.abort()  # it would be heard at its end: what counts is that nothing of it is kept
    assert await reader.read() == b""
    assert (await runner.get("/imports")).status == 200


async def test_a_hundred_thousand_empty_members_are_refused_at_once(runner: Runner, shared_track: Track) -> None:
    archive = await asyncio.to_thread(zipped, [(f"{number}.fit", b"") for number in range(100_000)], 0)
    for content in (archive, archives.claiming(archive, 1)):
        begin = time.perf_counter()
        told = await send(runner, content)
        assert told.status == 422
        assert "up to 50,000 files" in told.json["detail"]
        assert time.perf_counter() - begin < 30
    assert not any((await left(shared_track, runner)).values())


async def test_others_are_answered_while_a_large_directory_is_read(runner: Runner, other: Runner) -> None:
    archive = await asyncio.to_thread(zipped, [(f"{number}.fit", b"") for number in range(45_000)], 0)
    sending = asyncio.create_task(send(runner, archive))
    waits = []
    while not sending.done():
        begin = time.perf_counter()
        assert (await other.get("/gear")).status == 200
        waits.append(time.perf_counter() - begin)
    told = await sending
    assert told.status == 202, told.body
    assert_within(1.5, max(waits))
    await runner.ask("DELETE", f"/imports/{told.json['id']}")


async def test_everything_hostile_at_once_is_told_file_by_file(runner: Runner) -> None:
    bomb = bytes(32 * MIB)
    archive = zipped(
        [
            ("good.gpx", a_file(0)),
            ("bomb.gpx", bomb),
            ("nested.zip", zipped({"bomb.gpx": bomb})),
            ("hidden.fit", zipped({"bomb.gpx": bomb})),
            archives.link("link.gpx", "/etc/passwd"),
            (archives.named("..\\..\\windows.gpx"), a_file(1)),
            (archives.named("/etc/cron.d/run.gpx"), a_file(1)),
            (archives.named("a\x00b\x1b]0;x\x07.gpx"), a_file(1)),
            ("<script>alert(1)</script>.gpx", b"<gpx/>"),
            ("entities.gpx", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><gpx>&a;</gpx>'),
            ("empty.fit", b""),
        ]
    )
    told = await send(runner, archive)
    assert told.status == 202, told.body
    end = await ended(runner, told.json["id"])
    assert (end["state"], end["total"], end["added"], end["failures"]) == ("done", 11, 1, 10)
    for failure in end["failed"]:
        assert failure["name"].isprintable()
        assert 10 < len(failure["reason"]) < 200
    assert len(await all_of(runner)) == 1
