"""What importing an archive costs: files a second, the memory of our processes, and what somebody's uploads meanwhile wait.

`python -m tests.bench.imports_cost [FILES]` serves activities on a database of its own, and imports an archive of so many runs
of ten minutes each, for one runner, while another uploads one file after the other.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import aiohttp
import psutil

from services.activities.app import SERVICE
from services.chassis.bus import mongo as bus
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.mongo import Mongo
from services.chassis.settings import ProcessSettings
from services.command.keys import bootstrap
from services.tokendealer.app import SERVICE as TOKENDEALER
from services.tokendealer.handlers.families import SignInTokens
from tests.support.database import DatabaseServer
from tests.support.processes import Child, accepts, free_port
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import START, Session, a_run, fit
from tests.support.runners import READ, WRITE, Runner
from tests.support.waiting import eventually

MIB = 1024**2
EACH_S = 240.0  # tokens live for five minutes


def archive(path: Path, files: int) -> None:
    """So many runs, two hours apart, as FIT files in a ZIP."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for number in range(files):
            run = a_run(600, start=START - timedelta(hours=2 * number))
            zipped.writestr(f"{number // 500}/{number}.fit", fit(Session(run)))


def memory(process: psutil.Process) -> tuple[float, float]:
    """The MiB of the service's process, and of its children."""
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    return process.memory_info().rss / MIB, children / MIB


async def token_of(peer: Peer, sub: str) -> str:
    """A token of a runner."""
    order = {"sub": sub, "client": "runnerly", "scopes": (READ, WRITE), "label": "a bench"}
    return (await peer.post("/internal/v1/tokens", json=order, type=SignInTokens)).access_token


async def main(files: int) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        path = home / "all.zip"
        archive(path, files)
        print(f"{files} files, {path.stat().st_size / MIB:.0f} MiB")
        server = DatabaseServer(home)
        uri = await started(server, home)
        settings = ProcessSettings(home=home, port=free_port(), internal_port=free_port())
        mongo, logs = Mongo(uri), RecordedLogs()
        await bootstrap(settings, mongo, ("tokendealer", "accounts", "activities"))
        await mongo.database(bus.DATABASE).apply(bus.COLLECTIONS)
        for service in (SERVICE, TOKENDEALER):
            await mongo.database(service.database).apply(service.all_collections, service.migrations)
        environ = {
            "RUNNERLY_HOME": str(home),
            "RUNNERLY_PORT": str(settings.port),
            "RUNNERLY_INTERNAL_PORT": str(settings.internal_port),
            "MONGODB_URI": uri,
        }
        command = (sys.executable, "-m", "services", "serve", "tokendealer", "activities")
        child = Child(command, log=home / "log", env=environ)
        await eventually(lambda: accepts(settings.port), within_s=60)
        http = HttpClient("tests", RecordedMetrics(), logs.logger())
        peer = Peer.of("tokendealer", settings, http, Identity.of("accounts", settings, http))
        process = psutil.Process(child.pid)
        async with aiohttp.ClientSession() as client:
            await measure(Bench(settings.url, client, peer, process), path)
        child.kill()
        server.kill()
        await http.close()
        logs.close()
        mongo.close()


async def started(server: DatabaseServer, home: Path) -> str:
    """The address of a native database where there is one, else of the embedded one."""
    native = shutil.which("secantusd-rs")
    if native is None:
        server.start()
        return server.uri
    port = free_port()
    Child((native, "--port", str(port), "--storage-path", str(home / "native")), log=home / "native.log")
    await eventually(lambda: accepts(port), within_s=30)
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


class Bench:
    """Two runners at one service: one who brings an archive, one who uploads meanwhile."""

    def __init__(self, url: str, client: aiohttp.ClientSession, peer: Peer, process: psutil.Process) -> None:
        self.url = url
        self.client = client
        self.peer = peer
        self.process = process
        self._tokens: dict[str, tuple[str, float]] = {}

    async def runner(self, sub: str) -> Runner:
        """Somebody with a token that is good for a while."""
        token, got_s = self._tokens.get(sub, ("", 0.0))
        if time.monotonic() - got_s > EACH_S:
            token, got_s = await token_of(self.peer, sub), time.monotonic()
            self._tokens[sub] = token, got_s
        return Runner(self.url, self.client, token, sub)


async def measure(bench: Bench, path: Path) -> None:
    """Import, and tell how it goes."""
    alone = [await upload(bench, number) for number in range(20)]
    print(f"an upload alone: {statistics.median(alone):.0f} ms, at most {max(alone):.0f}")
    own, parsers = memory(bench.process)
    print(f"before: {own:.0f} MiB, parsers {parsers:.0f} MiB")
    begin = time.monotonic()
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(path.read_bytes()), filename="all.zip", content_type="application/zip")
    told = await (await bench.runner("ann")).ask("POST", "/imports", data=form)
    assert told.status == 202, told.body
    own, parsers = memory(bench.process)
    print(f"accepted in {time.monotonic() - begin:.1f} s; {own:.0f} MiB")
    waits: list[float] = []
    told_at, most = 0, 0.0
    number = 1000
    while True:
        state = (await (await bench.runner("ann")).get(f"/imports/{told.json['id']}")).json
        own, parsers = memory(bench.process)
        most = max(most, own)
        if state["done"] >= told_at:
            rate = state["done"] / (time.monotonic() - begin)
            print(f"{state['done']:6} done, {rate:.1f}/s, {own:.0f} MiB, parsers {parsers:.0f} MiB", flush=True)
            told_at = state["done"] + state["total"] // 10
        if state["state"] not in {"waiting", "running"}:
            break
        waits.append(await upload(bench, number))
        number += 1
        await asyncio.sleep(1)
    spent = time.monotonic() - begin
    print(
        f"{state['state']}: {state['added']} added in {spent:.0f} s, {state['added'] / spent:.1f}/s; most {most:.0f} MiB"
    )
    print(f"an upload meanwhile: {statistics.median(waits):.0f} ms, at most {max(waits):.0f}, of {len(waits)}")


async def upload(bench: Bench, number: int) -> float:
    """The milliseconds that another runner's upload takes."""
    content = fit(Session(a_run(600, start=START - timedelta(hours=2 * number))))
    runner = await bench.runner("bob")
    begin = time.perf_counter()
    told = await runner.upload(content, "run.fit")
    assert told.status == 201, told.body
    return (time.perf_counter() - begin) * 1000


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
