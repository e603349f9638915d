"""Telling every process that listens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.contract.bus.conftest import Bus
from tests.support.waiting import eventually


async def test_every_process_that_listens_hears_it_once_the_speaker_too(bus: Bus) -> None:
    heard: dict[str, list[Mapping[str, Any]]] = {"one": [], "other": []}
    processes = {name: await bus.process() for name in heard}
    for name, process in processes.items():
        await process.listen("live", into(heard[name]))
    for number in range(5):
        await processes["one"].broadcast("live", {"number": number})
    said = [{"number": number} for number in range(5)]
    await eventually(lambda: heard == {"one": said, "other": said})


async def test_a_listener_hears_only_its_channel(bus: Bus) -> None:
    process, heard = await bus.process(), list[Mapping[str, Any]]()
    await process.listen("live", into(heard))
    await process.broadcast("keys", {"rotated": True})
    await process.broadcast("live", {"number": 1})
    await eventually(lambda: heard)
    assert heard == [{"number": 1}]


async def test_nothing_is_kept_for_those_who_listen_later(bus: Bus) -> None:
    process, early, late = await bus.process(), list[Mapping[str, Any]](), list[Mapping[str, Any]]()
    await process.listen("live", into(early))
    await process.broadcast("live", {"number": 1})
    await eventually(lambda: early)
    await (await bus.process()).listen("live", into(late))
    await process.broadcast("live", {"number": 2})
    await eventually(lambda: late)
    assert late == [{"number": 2}]


async def test_a_listener_that_fails_hears_the_next_one(bus: Bus) -> None:
    process, heard = await bus.process(), list[int]()

    async def listener(data: Mapping[str, Any]) -> None:
        heard.append(data["number"])
        if data["number"] == 1:
            raise RuntimeError("broken")

    await process.listen("live", listener)
    await process.broadcast("live", {"number": 1})
    await process.broadcast("live", {"number": 2})
    await eventually(lambda: heard == [1, 2])


def into(heard: list[Mapping[str, Any]]):
    async def listener(data: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        heard.append(data)

    return listener
