"""A lane keeps slow things away from those who put something in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from services.chassis.lane import BATCH, Lane

Work = Callable[[Sequence[int]], None]


class Gate:
    """Work that is stuck until it is let go, and remembers what it did."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, batch: Sequence[int]) -> None:
        self.entered.set()
        assert self.open.wait(20)
        self.done.extend(batch)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def test_putting_returns_while_the_work_is_stuck_and_counts_what_does_not_fit(gate: Gate) -> None:
    """That this test ends at all is the proof: nobody opens the gate before everything was put in."""
    lane: Lane[int] = Lane("test", gate, limit=100)
    lane.put(0)
    lane.look()
    assert gate.entered.wait(10)
    taken = [lane.put(number) for number in range(1, 1001)]
    assert taken == [True] * 100 + [False] * 900
    assert lane.dropped == 900
    assert lane.waiting == 101
    assert lane.flush(0.05) == 101
    gate.open.set()
    assert lane.close(10) == 0
    assert gate.done == list(range(101))


def test_a_stuck_worker_does_not_hold_up_closing(gate: Gate) -> None:
    lane: Lane[int] = Lane("test", gate)
    lane.put(0)
    lane.look()
    assert gate.entered.wait(10)
    assert lane.close(0.05) == 1


def test_a_batch_that_failed_is_tried_again_in_order_until_it_works() -> None:
    done: list[int] = []
    troubles: list[str] = []
    failures = iter([OSError("down"), OSError("still down"), None])

    def work(batch: Sequence[int]) -> None:
        if failure := next(failures, None):
            raise failure
        done.extend(batch)

    def tell(name: str, trouble: OSError | None) -> None:
        troubles.append(f"{name}: {trouble}")

    lane: Lane[int] = Lane("test", work, on_trouble=tell)
    for number in range(3 * BATCH):
        lane.put(number)
    assert lane.close(10) == 0
    assert done == list(range(3 * BATCH))
    assert troubles == ["test: down", "test: None"]


def test_work_that_breaks_costs_its_batch_and_no_more() -> None:
    done: list[int] = []

    def work(batch: Sequence[int]) -> None:
        if 0 in batch:
            raise ZeroDivisionError
        done.extend(batch)

    lane: Lane[int] = Lane("test", work)
    for number in range(BATCH + 5):
        lane.put(number)
    assert lane.flush(10) == 0
    lane.put(1000)
    assert lane.close(10) == 0
    assert done[-1] == 1000
    assert lane.dropped + len(done) == BATCH + 6


def test_nothing_put_in_from_many_threads_is_lost_or_counted_twice() -> None:
    seen: list[int] = []
    lane: Lane[int] = Lane("test", seen.extend, limit=500)

    def put(base: int) -> None:
        for number in range(2000):
            lane.put(base + number)

    threads = [threading.Thread(target=put, args=(base,)) for base in range(0, 16_000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lane.close(20) == 0
    assert len(seen) == len(set(seen))
    assert len(seen) + lane.dropped == 16_000


def test_closing_twice_does_nothing() -> None:
    lane: Lane[int] = Lane("test", lambda batch: None)
    assert lane.close(5) == 0
    assert lane.close(5) == 0
