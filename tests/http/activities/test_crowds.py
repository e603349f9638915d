"""More files at once than can be read: each is taken or told when to come back, and nothing is kept by halves."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from tests.support.recordings import START, a_run, gpx
from tests.support.runners import API, Runner, Track

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE = 50
RUN = gpx(a_run(6000))


def on_day(number: int) -> bytes:
    """The same run on another day."""
    day = START + timedelta(days=number)
    return RUN.replace(f"{START:%Y-%m-%d}".encode(), f"{day:%Y-%m-%d}".encode())


async def kept(track: Track, runner: Runner) -> tuple[int, int, int]:
    """How many activities, streams and files there are of a runner."""
    database = track.mongo.database("runnerly_activities")
    return (
        await database.collection("activities").count_documents({"owner": runner.sub}),
        await database.collection("streams").count_documents({"owner": runner.sub}),
        await database.collection("originals.files").count_documents({"metadata.owner": runner.sub}),
    )


async def test_of_fifty_at_once_those_that_are_too_many_are_told_when_to_come_back(
    shared_track: Track, runner: Runner
) -> None:
    told = await asyncio.gather(*(runner.upload(on_day(number)) for number in range(AT_ONCE)))
    answers = Counter(one.status for one in told)
    assert set(answers) == {201, 503}
    assert all(int(one.headers["Retry-After"]) >= 1 for one in told if one.status == 503)
    assert await kept(shared_track, runner) == (answers[201], answers[201], answers[201])
    late = [number for number, one in enumerate(told) if one.status == 503]
    assert (await runner.upload(on_day(late[0]))).status == 201


async def test_an_upload_that_is_cut_off_leaves_nothing(shared_track: Track, runner: Runner) -> None:
    url = shared_track.settings.url
    reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
    head = (
        f"POST {API}/activities?filename=run.gpx HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {runner.token}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {len(RUN)}\r\n\r\n"
    )
    writer.write(head.encode() + RUN[: len(RUN) // 2])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await runner.upload(RUN)).status == 201
    assert await kept(shared_track, runner) == (1, 1, 1)
    reader.feed_eof()
