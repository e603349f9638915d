"""What a takeout and a deletion cost of somebody with years of runs: time, and memory that must not grow with the person.

`python -m tests.bench.large_takeout [activities]` (400 unless said otherwise), each with a file of half a megabyte that
can't be made smaller. The exit code says whether the process that does it all grew by less than the budget.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import zstandard

from services.activities import app as activities
from services.activities.store.originals import Originals
from services.chassis.mongo import Mongo
from tests.support.database import DatabaseServer
from tests.support.mail import mail_server
from tests.support.recordings import a_run, gpx
from tests.support.street import PASSWORD
from tests.support.street_process import Process, prepare
from tests.support.waiting import eventually_is

RUNS, FILE_BYTES = 400, 500_000
MIB = 1024 * 1024
BUDGET_MIB = 80


class Watch:
    """The memory of a process, looked at all the time."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._least = self._most = self._process.memory_info().rss

    @property
    def grown_mib(self) -> float:
        """By how much it grew at the most."""
        return (self._most - self._least) / MIB

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            self._most = max(self._most, self._process.memory_info().rss)
            await asyncio.sleep(0.02)


async def multiply(mongo: Mongo, activity_id: str, runs: int) -> None:
    """The same activity so many times, each with a file of its own."""
    database = mongo.database("runnerly_activities")
    originals, collection = Originals(database, small=0), database.collection("activities")
    template = await collection.find_one({"_id": activity_id})
    assert template
    for number in range(runs):
        file = os.urandom(FILE_BYTES)
        sha256, content = hashlib.sha256(file).hexdigest(), zstandard.ZstdCompressor(level=1).compress(file)
        original = await originals.put_away(template["owner"], sha256, content)
        source = {**template["source"], "sha256": sha256}
        await collection.insert_one({**template, "_id": f"copy-{number}", "original": original.place, "source": source})
    await database.collection("unclaimed_originals").delete_many({})


@asynccontextmanager
async def timed(what: str, watch: Watch) -> AsyncIterator[None]:
    """Print how long it took, and how much the process has grown by then."""
    began = time.monotonic()
    yield
    print(f"{what:12} {time.monotonic() - began:7.1f} s   grown by {watch.grown_mib:5.1f} MiB")


async def measured(process: Process, pid: int, token: str) -> float:
    """Take everything out, download it, leave; by how many MiB the process grew."""
    watch = Watch(pid)
    watching = asyncio.create_task(watch.run())
    async with timed("export", watch):
        export = (await process.ask("POST", "accounts/me/exports", token=token)).body["id"]
        await eventually_is("done", state_of(process, f"accounts/me/exports/{export}", token), within_s=600)
    told = (await process.ask("GET", f"accounts/me/exports/{export}", token=token)).body
    print(f"archive      {told['size_bytes'] / MIB:7.1f} MiB")
    async with timed("download", watch), aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {token}"}
        async with http.get(f"http://127.0.0.1:{process.port}{told['url']}", headers=headers) as answer:
            assert sum([len(piece) async for piece in answer.content.iter_any()]) == told["size_bytes"]
    async with timed("deletion", watch):
        begun = await process.ask("POST", "accounts/me/deletion", {"password": PASSWORD}, token=token)
        await eventually_is("done", state_of(process, f"accounts/deletions/{begun.body['id']}", ""), within_s=600)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    return watch.grown_mib


def state_of(process: Process, path: str, token: str) -> Callable[[], Awaitable[object]]:
    """How far something is, to be asked again and again."""

    async def read() -> object:
        return (await process.ask("GET", path, token=token)).body["state"]

    return read


async def main(runs: int) -> int:
    """Make somebody large, measure, and judge."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "database").mkdir()
        server = DatabaseServer(home / "database")
        server.start()
        mongo = Mongo(server.uri)
        try:
            await prepare(mongo, home, more=[activities.SERVICE])
            async with mail_server() as mail:
                process = Process(server.uri, home, mail.url, RUNNERLY_DELETION_SWEEP_S="1")
                await process.start(activities.SERVICE.name)
                token = await process.runner(mail, "kim@runnerly.test")
                run = await process.upload("run.gpx", gpx(a_run(600, every=10)), token=token)
                await multiply(mongo, run["id"], runs)
                grown_mib = await measured(process, process.pid, token)
                process.kill()
        finally:
            mongo.close()
            server.kill()
    return 0 if grown_mib < BUDGET_MIB else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)))
