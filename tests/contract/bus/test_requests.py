"""Request and reply."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from services.chassis import context
from services.chassis.bus.transport import RequestFailed, RequestTimedOut
from services.chassis.problems import NotFound
from tests.contract.bus.conftest import Bus
from tests.support.waiting import eventually


async def double(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"number": data["number"] * 2}


async def test_each_asker_gets_its_own_answer(bus: Bus) -> None:
    askers = [await bus.process(), await bus.process()]
    await (await bus.process()).respond("double", double)
    questions = [askers[number % 2].request("double", {"number": number}, timeout_s=60) for number in range(10)]
    assert await asyncio.gather(*questions) == [{"number": number * 2} for number in range(10)]


async def test_one_responder_of_several_answers(bus: Bus) -> None:
    asked: list[Mapping[str, Any]] = []

    async def responder(data: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(data)
        return data

    for _ in range(2):
        await (await bus.process()).respond("echo", responder)
    await (await bus.process()).request("echo", {"number": 1}, timeout_s=60)
    assert asked == [{"number": 1}]


async def test_a_request_that_nobody_answers_times_out(bus: Bus) -> None:
    asker = await bus.process()
    with pytest.raises(RequestTimedOut):
        await asker.request("nobody", {}, timeout_s=0.3)


async def test_a_request_is_not_answered_after_its_time(bus: Bus) -> None:
    asker, asked = await bus.process(), list[int]()
    with pytest.raises(RequestTimedOut):
        await asker.request("late", {"number": 1}, timeout_s=0.3)

    async def responder(data: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(data["number"])
        return data

    await asker.respond("late", responder)
    await asker.request("late", {"number": 2}, timeout_s=60)
    assert asked == [2]


async def test_the_asker_learns_that_the_responder_failed(bus: Bus) -> None:
    async def refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotFound("There is no such run")

    async def break_down(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise RuntimeError("a secret")

    process = await bus.process()
    await process.respond("refuse", refuse)
    await process.respond("break", break_down)
    with pytest.raises(RequestFailed, match="There is no such run"):
        await process.request("refuse", {}, timeout_s=60)
    with pytest.raises(RequestFailed, match="The responder failed"):
        await process.request("break", {}, timeout_s=60)


async def test_the_responder_works_in_the_trace_and_time_of_the_asker(bus: Bus) -> None:
    process, seen = await bus.process(), list[context.RequestContext | None]()

    async def responder(data: Mapping[str, Any]) -> Mapping[str, Any]:
        seen.append(context.current())
        seen.append(None if context.remaining_s(1000) > 60 else context.current())
        return data

    await process.respond("echo", responder)
    cause = context.begin(None, timeout_s=60)
    context.enter(cause)
    await process.request("echo", {}, timeout_s=60)
    await eventually(lambda: len(seen) == 2)
    assert all(each is not None and each.trace_id == cause.trace_id for each in seen)
