"""Whether lists and statistics cost the same however much a runner has: the time at each size, as a ratio to the least.

`python -m tests.bench.flatness [SIZE...]` (1000, 10000 and 100000 unless given) fills a database of its own, a runner a size,
and asks the reading side, below HTTP, which costs the same for all. The budget is 1.3 for the page of the newest and for the
statistics of a year by month: the exit code says whether it was kept. The rest is printed to be looked at.

With `--beside 1000000` that many activities of a thousand others come into the collection, and the first runner asks again,
within the same budget: what others have costs nothing either. Do that on a native database (`MONGODB_URI`).
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from services.activities.domain.activity import Activity, Source
from services.activities.domain.listing import Wanted
from services.activities.store.activities import ActivityStore
from services.activities.store.documents import Held, document_of
from services.activities.store.finding import Finder
from services.activities.store.gear import GearStore
from services.activities.store.originals import Originals
from services.activities.store.shape import ACTIVITIES, COLLECTIONS, OWNERS
from services.chassis.bus import outbox
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Database, Mongo
from tests.support.database import DatabaseServer

BUDGET = 1.3
JUDGED = ("newest page", "statistics by month")
SIZES = (1000, 10_000, 100_000)
YEARS, BATCH, ROUNDS, OTHERS = 10, 1000, 30, 1000
SETTLING_S = 90.0
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TITLES = ("Morning run", "Evening run", "Lunch run", "Tempo", "Long one", "Intervals on the track", "Parkrun")


def activity(choice: random.Random, owner: str, number: int, of: int) -> Activity:
    """One of so many that are spread over ten years, a map included, as lists show it."""
    start = NOW - timedelta(days=365 * YEARS) * (number / of) - timedelta(seconds=choice.randint(0, 3600))
    distance = round(choice.lognormvariate(9.1, 0.45), 2)
    seconds = round(distance / choice.uniform(2.5, 4.5), 1)
    rare = number % (of // 10) == 0
    return Activity(
        id=f"{choice.getrandbits(96):024x}",
        owner=owner,
        version=1,
        sport=choice.choice(("running",) * 9 + ("cycling",)),
        title="Boston Marathon" if rare else choice.choice(TITLES),
        started_at=start.replace(microsecond=0),
        timezone="Europe/Paris",
        local_date=start.date(),
        distance_m=distance,
        elapsed_s=seconds,
        moving_s=seconds,
        ascent_m=50.0,
        average_speed_mps=3.0,
        load=50.0,
        load_from="pace",
        polyline="x" * 900,
        source=Source("file", "run.fit", "fit", f"{choice.getrandbits(256):064x}"),
        created_at=NOW,
        updated_at=NOW,
    )


async def fill(database: Database, owner: str, size: int) -> None:
    """Give a runner so many activities, and all that follows from them."""
    choice = random.Random(size)
    for begin in range(0, size, BATCH):
        some = [activity(choice, owner, number, size) for number in range(begin, min(begin + BATCH, size))]
        await database.collection(ACTIVITIES).insert_many([document_of(Held(one)) for one in some])
    await database.collection(OWNERS).insert_one({"_id": owner, "activities": size})
    await ActivityStore(database, Originals(database), GearStore(database), Outbox(database)).settle(owner)


def questions(finder: Finder, owner: str) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked of the reading side."""
    year = (date(2025, 6, 1), date(2026, 5, 31))
    return {
        "newest page": lambda: finder.page(owner, Wanted(), "-started_at", None, 20),
        "statistics by month": lambda: finder.totals(owner, "month", *year, None),
        "newest page of a sport": lambda: finder.page(owner, Wanted(sport="cycling"), "-started_at", None, 20),
        "page by distance": lambda: finder.page(owner, Wanted(), "-distance_m", None, 20),
        "page by time": lambda: finder.page(owner, Wanted(), "-elapsed_s", None, 20),
        "second page by distance": lambda: second(finder, owner),
        "a word that many titles have": lambda: finder.page(owner, Wanted(words="run"), "-started_at", None, 20),
        "a word that few titles have": lambda: finder.page(owner, Wanted(words="boston"), "-started_at", None, 20),
    }


async def second(finder: Finder, owner: str) -> object:
    """Two pages, one after the other."""
    _, position = await finder.page(owner, Wanted(), "-distance_m", None, 20)
    return await finder.page(owner, Wanted(), "-distance_m", position, 20)


async def measured(asking: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    """The median of some rounds of each, in milliseconds; in turn, so that a ratio holds on a machine whose speed drifts."""
    times: list[list[float]] = [[] for _ in asking]
    for _ in range(ROUNDS):
        for row, ask in enumerate(asking):
            begin = time.perf_counter()
            await ask()
            times[row].append((time.perf_counter() - begin) * 1000)
    return list(map(statistics.median, times))


async def crowd(database: Database, size: int) -> None:
    """Put the activities of a thousand others into the collection."""
    choice = random.Random(0)
    owners = [f"other-{number}" for number in range(OTHERS)]
    for begin in range(0, size, BATCH):
        some = [activity(choice, choice.choice(owners), number, size) for number in range(begin, begin + BATCH)]
        await database.collection(ACTIVITIES).insert_many([document_of(Held(one)) for one in some])


async def beside(database: Database, owner: str, size: int) -> bool:
    """Measure what the budget is for before and after others come; returns whether it was kept."""
    finder, kept = Finder(database), True
    asked = {name: questions(finder, owner)[name] for name in JUDGED}
    before = await measured(list(asked.values()))
    begin = time.perf_counter()
    await crowd(database, size)
    print(f"\n{size} activities of others kept in {time.perf_counter() - begin:.0f} s", flush=True)
    await asyncio.sleep(SETTLING_S)  # a database that has just taken so much is busy writing it out
    for name, was, now in zip(asked, before, await measured(list(asked.values())), strict=True):
        kept &= now / was <= BUDGET
        print(f"{name:32}{was:>11.1f} ms{now:>11.1f} ms{now / was:>24.2f}", flush=True)
    return kept


async def run(uri: str, sizes: list[int], others: int) -> int:
    """Fill, measure, print, and judge against the budget."""
    mongo = Mongo(uri)
    database = mongo.database("bench_activities")
    await database.apply((*COLLECTIONS, *outbox.COLLECTIONS))
    for size in sizes:
        begin = time.perf_counter()
        await fill(database, f"runner-{size}", size)
        print(f"{size} activities kept in {time.perf_counter() - begin:.0f} s", flush=True)
    print(f"{'':32}" + "".join(f"{size:>14}" for size in sizes) + f"{'ratio':>10}")
    finder, kept = Finder(database), True
    for name in questions(finder, ""):
        times = await measured([questions(finder, f"runner-{size}")[name] for size in sizes])
        ratio = max(times) / min(times)
        kept &= name not in JUDGED or ratio <= BUDGET
        print(f"{name:32}" + "".join(f"{ms:>11.1f} ms" for ms in times) + f"{ratio:>10.2f}", flush=True)
    if others:
        kept &= await beside(database, f"runner-{sizes[0]}", others)
    mongo.close()
    return 0 if kept else 1


@click.command()
@click.argument("sizes", type=int, nargs=-1)
@click.option("--beside", "others", default=0, show_default=True, help="How many activities others have.")
def main(sizes: Sequence[int], *, others: int) -> None:
    """Run it on a database server of its own, or on the one that `MONGODB_URI` names."""
    sys.exit(judged(list(sizes or SIZES), others))


def judged(sizes: list[int], others: int) -> int:
    """The exit code."""
    if uri := os.environ.get("MONGODB_URI"):
        return asyncio.run(run(uri, sizes, others))
    with tempfile.TemporaryDirectory() as home:
        server = DatabaseServer(Path(home))
        server.start()
        try:
            return asyncio.run(run(server.uri, sizes, others))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
