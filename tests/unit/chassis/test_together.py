"""Questions that many ask at once are asked together, and answered with what is true since they were asked."""

from __future__ import annotations

import asyncio

import pytest

from services.chassis.together import Together


class Oracle:
    """Answers with how things are when it is asked."""

    def __init__(self) -> None:
        self.things = {"a": 1, "b": 1}
        self.asked: list[list[str]] = []
        self.go = asyncio.Event()
        self.together = Together(self.answer)

    async def answer(self, keys: set[str]) -> dict[str, int]:
        self.asked.append(sorted(keys))
        now = dict(self.things)
        await self.go.wait()
        if "wrong" in keys:
            raise ConnectionError
        return {key: now[key] for key in keys if key in now}


@pytest.fixture
async def oracle() -> Oracle:
    return Oracle()


def ask(oracle: Oracle, *keys: str) -> list[asyncio.Task[int | None]]:
    return [asyncio.create_task(oracle.together(key)) for key in keys]


async def a_moment() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_what_is_asked_at_once_is_one_question(oracle: Oracle) -> None:
    oracle.go.set()
    assert await asyncio.gather(*ask(oracle, "a", "b", "a", "nothing")) == [1, 1, 1, None]
    assert oracle.asked == [["a", "b", "nothing"]]


async def test_who_comes_later_is_not_answered_with_what_was_read_before(oracle: Oracle) -> None:
    before = ask(oracle, "a")
    await a_moment()
    oracle.things["a"] = 2
    after = ask(oracle, "a", "a")
    await a_moment()
    oracle.go.set()
    assert await asyncio.gather(*before, *after) == [1, 2, 2]
    assert oracle.asked == [["a"], ["a"]]


async def test_who_leaves_takes_nobody_along(oracle: Oracle) -> None:
    first, second = ask(oracle, "a", "b")
    await a_moment()
    first.cancel()
    oracle.go.set()
    assert await second == 1


async def test_what_goes_wrong_is_told_to_all_that_asked_and_not_to_the_next(oracle: Oracle) -> None:
    oracle.go.set()
    outcomes = await asyncio.gather(*ask(oracle, "a", "wrong"), return_exceptions=True)
    assert [type(one) for one in outcomes] == [ConnectionError, ConnectionError]
    assert await oracle.together("a") == 1
