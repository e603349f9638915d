"""What sign-ins cost the others: how long a small request waits while 20 people sign in at once, again and again.

`python -m tests.bench.sign_ins`. Accounts, tokendealer and mailer share one process, as in an embedded run, and everything -
that process, its database, and who asks - shares this machine. Who asks reads their own account, and then rests for a moment.
The budget is a p99 of 50 ms: the exit code says whether it was kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from services.chassis.mongo import Mongo
from tests.support.database import DatabaseServer
from tests.support.mail import mail_server
from tests.support.street import PASSWORD
from tests.support.street_process import Process, prepare

BUDGET_MS = 50.0
AT_ONCE, SECONDS, REST_S = 20, 10.0, 0.01
ADMIN = "ada@runnerly.test"


async def create_admin(uri: str, home: Path) -> None:
    """Somebody to sign in as."""
    command = ("-m", "services", "users", "create-admin", "--email", ADMIN, "--password-stdin")
    environ = {"MONGODB_URI": uri, "RUNNERLY_HOME": str(home)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, env=environ
    )
    await child.communicate(f"{PASSWORD}\n".encode())
    assert child.returncode == 0


async def sign_in(http: aiohttp.ClientSession, url: str) -> str:
    """An access token."""
    async with http.post(f"{url}/sessions", json={"email": ADMIN, "password": PASSWORD}) as answer:
        body = await answer.json()
        assert answer.status == 201, body
        return str(body["access_token"])


async def read_account(http: aiohttp.ClientSession, url: str, token: str) -> float:
    """How long it took, in milliseconds."""
    began = time.perf_counter()
    async with http.get(f"{url}/accounts/me", headers={"Authorization": f"Bearer {token}"}) as answer:
        await answer.read()
        assert answer.status == 200
    return (time.perf_counter() - began) * 1000


async def reads(http: aiohttp.ClientSession, url: str, token: str, seconds: float) -> list[float]:
    """How long each took, of those made one after another in this time."""
    times, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        times.append(await read_account(http, url, token))
        await asyncio.sleep(REST_S)
    return times


async def measure(process: Process) -> tuple[list[float], list[float], int]:
    """The reads alone, the reads beside sign-ins, and how many sign-ins there were."""
    async with aiohttp.ClientSession() as http, aiohttp.ClientSession() as others:
        token = await sign_in(http, process.url)
        alone = await reads(http, process.url, token, SECONDS)
        count = 0

        async def again_and_again() -> None:
            nonlocal count
            while True:
                await sign_in(others, process.url)
                count += 1

        signing_in = [asyncio.create_task(again_and_again()) for _ in range(AT_ONCE)]
        beside = await reads(http, process.url, token, SECONDS)
        for task in signing_in:
            task.cancel()
        for outcome in await asyncio.gather(*signing_in, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome
    return alone, beside, count


def percentile(times: list[float], percent: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


async def run(home: Path) -> int:
    """Start everything, measure, print, and judge against the budget."""
    database = DatabaseServer(home)
    database.start()
    with contextlib.ExitStack() as ending:
        ending.callback(database.kill)
        mongo = Mongo(database.uri)
        ending.callback(mongo.close)
        await prepare(mongo, home)
        await create_admin(database.uri, home)
        async with mail_server() as mail:
            process = Process(database.uri, home, mail.url)
            ending.callback(process.kill)
            await process.start()
            alone, beside, count = await measure(process)
    for what, times in (("alone", alone), (f"beside {AT_ONCE} sign-ins at once", beside)):
        told = "   ".join(f"p{percent} {percentile(times, percent):6.1f} ms" for percent in (50, 95, 99))
        print(f"{what:28} {told}   of {len(times)} reads")
    print(f"{'sign-ins':28} {count / SECONDS:.0f} a second; budget for p99: {BUDGET_MS:.0f} ms")
    return 0 if percentile(beside, 99) <= BUDGET_MS else 1


def main() -> int:
    """Run it in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
