"""What comes at once for one runner is added together, and each is told of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.activities.domain.activity import Activity
from services.activities.domain.problems import DuplicateActivity
from services.activities.store.arrivals import TOGETHER, TOGETHER_BYTES, Added, Arrival, Arrivals
from services.activities.store.originals import Original
from services.activities.store.turns import Turns
from services.chassis.idempotency import unkeyed
from services.chassis.mongo import DatabaseAway
from services.chassis.problems import Invalid


class Store:
    """Adds what arrives, once it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.transactions: list[list[str]] = []
        self.added: list[str] = []
        self.arrivals = Arrivals(Turns(), self.add)

    async def add(self, owner: str, arrivals: Sequence[Arrival]) -> list[Added | DuplicateActivity]:
        names = [name_of(one) for one in arrivals]
        self.transactions.append(names)
        await self.go.wait()
        if any(name.startswith("away") for name in names):
            raise DatabaseAway
        if any(name.startswith("wrong") for name in names):
            raise Invalid(names[0])
        outcomes: list[Added | DuplicateActivity] = []
        for name in names:
            outcomes.append(DuplicateActivity.of(name) if name in self.added else ())
            self.added.append(name)
        return outcomes

    def arrive(self, name: str, owner: str = "ann", *, size: int = 0) -> asyncio.Task[tuple[Activity, ...]]:
        return asyncio.create_task(self.arrivals.add(owner, Arrival([], Original(name, "", b"x" * size), unkeyed())))


def name_of(arrival: Arrival) -> str:
    return str(arrival.place)


@pytest.fixture
async def store() -> Store:
    return Store()


async def a_moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_alone_is_added_at_once(store: Store) -> None:
    store.go.set()
    assert await store.arrive("a") == ()
    assert store.transactions == [["a"]]


async def test_what_comes_while_one_is_added_is_added_together_in_order(store: Store) -> None:
    coming = [store.arrive(name) for name in "abcd"]
    await a_moment()
    assert store.transactions == [["a"]]
    store.go.set()
    await asyncio.gather(*coming)
    assert store.transactions == [["a"], ["b", "c", "d"]]


async def test_not_all_too_much_is_added_in_one_transaction(store: Store) -> None:
    coming = [store.arrive(str(number)) for number in range(TOGETHER + 3)]
    store.go.set()
    await asyncio.gather(*coming)
    assert list(map(len, store.transactions)) == [1, TOGETHER, 2]


async def test_large_files_are_added_a_few_at_a_time(store: Store) -> None:
    coming = [store.arrive(name, size=TOGETHER_BYTES // 2) for name in "abcd"] + [
        store.arrive("e", size=2 * TOGETHER_BYTES)
    ]
    store.go.set()
    await asyncio.gather(*coming)
    assert store.transactions == [["a"], ["b", "c"], ["d"], ["e"]]


async def test_others_do_not_wait(store: Store) -> None:
    hers, his = store.arrive("a"), store.arrive("b", "ben")
    await a_moment()
    assert store.transactions == [["a"], ["b"]]
    store.go.set()
    await asyncio.gather(hers, his)


async def test_what_is_wrong_with_one_is_told_to_that_one(store: Store) -> None:
    first, *rest = (store.arrive(name) for name in ("a", "b", "wrong", "c", "a"))
    await a_moment()
    store.go.set()
    await first
    outcomes = await asyncio.gather(*rest, return_exceptions=True)
    assert [type(one) for one in outcomes] == [tuple, Invalid, tuple, DuplicateActivity]
    assert store.added == ["a", "b", "c", "a"]


async def test_where_the_database_is_away_all_are_told_at_once(store: Store) -> None:
    first, *rest = (store.arrive(name) for name in ("a", "b", "away", "c"))
    await a_moment()
    store.go.set()
    await first
    outcomes = await asyncio.gather(*rest, return_exceptions=True)
    assert [type(one) for one in outcomes] == [DatabaseAway] * 3
    assert store.transactions == [["a"], ["b", "away", "c"]]


async def test_who_leaves_while_waiting_is_not_added(store: Store) -> None:
    first, second, third = (store.arrive(name) for name in "abc")
    await a_moment()
    second.cancel()
    await a_moment()
    store.go.set()
    await asyncio.gather(first, third)
    assert store.added == ["a", "c"]
    assert second.cancelled()


async def test_who_leaves_while_it_is_added_takes_nobody_along(store: Store) -> None:
    store.go.set()
    await store.arrive("a")
    store.go.clear()
    blocking, leader, other = (store.arrive(name) for name in "bcd")
    await a_moment()
    store.go.set()
    await blocking
    store.go.clear()
    await a_moment()
    assert store.transactions[-1] == ["c", "d"]
    leader.cancel()
    await a_moment()
    store.go.set()
    assert await other == ()
    assert store.added == ["a", "b", "c", "d"]


async def test_nothing_is_left_behind(store: Store) -> None:
    store.go.set()
    await asyncio.gather(*(store.arrive(str(number), f"runner-{number % 3}") for number in range(30)))
    assert store.arrivals._waiting == {}
    assert store.arrivals._adding == set()
