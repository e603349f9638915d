"""Files from strangers, and workers that fall over them: every upload is answered, and the service is well."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import zlib
from datetime import timedelta

import psutil
import pytest

from tests.support.corpus import corpus_file, corpus_files
from tests.support.recordings import START, a_run, gpx
from tests.support.runners import Runner

pytestmark = pytest.mark.asyncio(loop_scope="session")


def workers() -> list[psutil.Process]:
    """The processes that read files."""
    children = psutil.Process().children()
    return [child for child in children if any("spawn_main" in part for part in child.cmdline())]


async def test_killed_workers_cost_no_upload_its_answer(runner: Runner) -> None:
    await runner.uploaded(gpx(a_run(300)))
    files = [gpx(a_run(30_000, start=START + timedelta(days=n + 1))) for n in range(6)]
    uploads = [asyncio.create_task(runner.upload(content)) for content in files]
    await asyncio.sleep(0.5)
    assert workers()
    for worker in workers():
        os.kill(worker.pid, signal.SIGKILL)
    told = await asyncio.gather(*uploads)
    assert [one.status for one in told] == [201] * 6
    assert len((await runner.get("/activities")).items) == 7


def bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b"\0" * 2**20) for _ in range(300)) + packer.flush()


HARM = {
    "gzip bomb": bomb(),
    "entities": b"<!DOCTYPE g [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><gpx>&b;</gpx>",
    "files of ours": b'<!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]><gpx><trk><name>&x;</name></trk></gpx>',
    "depth": b"<gpx>" + b"<a>" * 200_000,
    "a FIT header that lies": b"\x0e\x20\x54\x08\xff\xff\xff\xff.FIT\0\0" + b"\x40" * 1000,
    "a month of seconds": gzip.compress(gpx(a_run(100_000, every=40))),
    "zeros": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("kind", HARM)
async def test_a_file_that_means_harm_is_refused_or_taken_and_nothing_else(runner: Runner, kind: str) -> None:
    told = await runner.upload(HARM[kind])
    assert told.status in {201, 422}
    assert b"root:" not in told.body
    assert (await runner.upload(gpx(a_run(300)))).status in {201, 409}


async def test_every_real_file_is_taken_or_refused_with_a_reason(runner: Runner, pytestconfig: pytest.Config) -> None:
    corpus_file(pytestconfig, "MANIFEST.tsv")
    statuses: dict[str, int] = {}
    for path in corpus_files():
        told = await runner.upload(path.read_bytes(), path.name)
        statuses[path.name] = told.status
        if told.status != 201:
            assert told.json["detail"]
    assert set(statuses.values()) == {201, 409, 422}
    assert sum(status == 201 for status in statuses.values()) > 60
