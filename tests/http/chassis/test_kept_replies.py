"""An operation whose replies are kept: made once, given again to the same person, in the same format, while they are true."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from msgspec import Struct

from services.chassis.answers import Answer, Items
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import NotFound
from tests.support.serving import Running, runner, running


class Lap(Struct, frozen=True):
    """A lap."""

    number: int


@dataclass
class Laps:
    """The laps of everybody, and how often they were looked up."""

    stamps: dict[str, str] = field(default_factory=lambda: {"ann": "1", "bob": "1"})
    laps: int = 2
    looked: int = 0

    async def stamp_of(self, sub: str) -> str | None:
        return self.stamps.get(sub)

    def look(self) -> list[Lap]:
        self.looked += 1
        return [Lap(number) for number in range(self.laps)]


class AllLaps(Endpoint[Laps]):
    @operation("listLaps", scope="activities:read", kept=True)
    async def get(self) -> Items[Lap]:
        """List laps."""
        return Items(self.uses.look())


class OneLap(Endpoint[Laps]):
    @operation("readLap", scope="activities:read", kept=True, problems=(NotFound,))
    async def get(self, number: str) -> Answer[Lap]:
        """Read a lap."""
        laps = self.uses.look()
        if int(number) >= len(laps):
            raise NotFound
        return Answer(laps[int(number)], version=7)


@pytest.fixture
async def laps() -> Laps:
    return Laps()


@pytest.fixture
async def it(laps: Laps) -> AsyncIterator[Running]:
    callers = {name: runner(name, "activities:read") for name in ("ann", "bob", "eve")}
    routes = [Route("/laps", AllLaps), Route("/laps/{number}", OneLap)]
    async with running(routes, uses=laps, callers=callers, stamp_of=laps.stamp_of) as it:
        yield it


async def get(it: Running, path: str, who: str = "ann", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent = {"Authorization": f"Bearer {who}", **headers}
    async with it.client.get(it.url + path, headers=sent) as answer:
        return answer.status, dict(answer.headers), await answer.read()


async def test_it_is_made_once_and_the_same_each_time(it: Running, laps: Laps) -> None:
    first = await get(it, "/laps")
    again = await get(it, "/laps")
    for status, headers, body in (first, again):
        assert (status, body) == (200, b'{"items":[{"number":0},{"number":1}]}')
        assert headers["Cache-Control"] == "private, no-cache"
    assert first[1]["Etag"] == again[1]["Etag"]
    assert laps.looked == 1


async def test_a_change_is_seen(it: Running, laps: Laps) -> None:
    await get(it, "/laps")
    laps.laps, laps.stamps["ann"] = 1, "2"
    assert (await get(it, "/laps"))[2] == b'{"items":[{"number":0}]}'


async def test_each_has_their_own(it: Running, laps: Laps) -> None:
    await get(it, "/laps")
    await get(it, "/laps", "bob")
    assert laps.looked == 2
    for _ in range(2):  # nobody knows what eve's were changed by
        await get(it, "/laps", "eve")
    assert laps.looked == 4


async def test_who_holds_it_is_told_so_whether_it_is_kept_or_made_now(it: Running, laps: Laps) -> None:
    _, headers, _ = await get(it, "/laps")
    laps.stamps["ann"] = "2"
    for _ in range(2):
        status, told, body = await get(it, "/laps", **{"If-None-Match": headers["Etag"]})
        assert (status, told["Etag"], body) == (304, headers["Etag"], b"")
    assert laps.looked == 2
    assert (await get(it, "/laps"))[0] == 200
    assert laps.looked == 2


async def test_each_format_is_kept_by_itself(it: Running, laps: Laps) -> None:
    await get(it, "/laps/1")
    _, headers, body = await get(it, "/laps/1", Accept="application/msgpack")
    assert (headers["Content-Type"], headers["Etag"], body) == (
        "application/msgpack",
        '"7-msgpack"',
        b"\x81\xa6number\x01",
    )
    assert laps.looked == 2


async def test_head_is_answered_from_it(it: Running, laps: Laps) -> None:
    _, headers, _ = await get(it, "/laps")
    async with it.client.head(f"{it.url}/laps", headers={"Authorization": "Bearer ann"}) as answer:
        assert (answer.status, answer.headers["Etag"], await answer.read()) == (200, headers["Etag"], b"")
    assert laps.looked == 1


async def test_a_refusal_is_not_kept(it: Running, laps: Laps) -> None:
    assert (await get(it, "/laps/2"))[0] == 404
    laps.laps = 3
    assert (await get(it, "/laps/2"))[0] == 200


async def test_a_wrong_query_is_refused_each_time(it: Running) -> None:
    await get(it, "/laps")
    for _ in range(2):
        assert (await get(it, "/laps?nonsense=1"))[0] == 422
