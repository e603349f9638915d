"""A process: several services side by side, their health, and how it ends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from msgspec import Struct

from services.chassis.answers import Items
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.scopes import SERVICE
from services.chassis.service import Built, Chassis, Service
from tests.support.database import DatabaseServer
from tests.support.process import process
from tests.support.waiting import eventually


class NoSettings(Struct, frozen=True):
    pass


@dataclass
class Garden:
    watered: int = 0
    slow_s: float = 0.0
    growing: asyncio.Event = field(default_factory=asyncio.Event)
    log: list[str] = field(default_factory=list)


class Flowers(Endpoint[Garden]):
    @operation("listFlowers", scope=None)
    async def get(self) -> Items[str]:
        """List flowers, slowly."""
        self.uses.growing.set()
        await asyncio.sleep(self.uses.slow_s)
        return Items(["rose"])


class Roots(Endpoint[Garden]):
    @operation("listRoots", scope=SERVICE)
    async def get(self) -> Items[str]:
        """List roots."""
        return Items(["carrot"])


def garden(name: str, uses: Garden, *, prefix: str = "/flowers", sick: bool = False) -> Service:
    async def water() -> None:
        uses.watered += 1
        if uses.watered == 1:
            raise RuntimeError("the can leaks")
        await asyncio.Event().wait()

    async def check() -> None:
        if sick:
            raise ConnectionError("dry")

    async def close() -> None:
        uses.log.append("closed")

    async def build(chassis: Chassis, settings: NoSettings) -> Built:
        await chassis.database.collection("seeds").insert_one({"of": chassis.service})
        return Built(uses, checks={"water": check}, jobs=[water], close=close)

    return Service(
        name=name,
        summary="A garden.",
        prefixes=(prefix,),
        routes=(Route(prefix, Flowers),),
        internal_routes=(Route("/internal/v1/roots", Roots),),
        settings=NoSettings,
        build=build,
    )


async def get(url: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_services_answer_side_by_side(database_server: DatabaseServer, tmp_path: Path) -> None:
    services = [garden("north", Garden(), prefix="/north"), garden("south", Garden(), prefix="/south", sick=True)]
    async with process(services, database_server.uri, tmp_path) as settings:
        assert await get(f"{settings.url}/north") == (200, {"items": ["rose"]})
        assert (await get(f"{settings.url}/south"))[0] == 200
        status, nothing = await get(f"{settings.url}/north/internal/v1/roots")
        assert (status, nothing["type"]) == (404, "/problems/not-found")
        assert (await get(f"{settings.url}/internal/v1/roots"))[0] == 404
        assert (await get(f"{settings.peer('north')}/internal/v1/roots"))[0] == 401
        assert (await get(f"{settings.peer('north')}/north"))[0] == 200
        assert await get(f"{settings.url}/api/openapi") == (200, {"items": ["north", "south"]})
        document = (await get(f"{settings.url}/api/openapi/north.json"))[1]
        assert list(document["paths"]) == ["/north"]  # type: ignore[call-overload]


async def test_health_is_told_together_and_one_by_one(database_server: DatabaseServer, tmp_path: Path) -> None:
    services = [garden("north", Garden(), prefix="/north"), garden("south", Garden(), prefix="/south", sick=True)]
    async with process(services, database_server.uri, tmp_path) as settings:
        assert await get(f"{settings.url}/__lbheartbeat__") == (200, {"status": "ok"})
        status, health = await get(f"{settings.url}/__heartbeat__")
        assert status == 503
        assert health["checks"] == {
            "north.water": "ok",
            "north.database": "ok",
            "south.water": "ConnectionError",
            "south.database": "ok",
        }
        assert (await get(f"{settings.url}/api/health/north"))[0] == 200
        assert (await get(f"{settings.url}/api/health/south"))[0] == 503
        assert (await get(f"{settings.url}/api/health/east"))[0] == 404


async def test_a_drain_lets_requests_finish_and_closes_in_order(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    uses = Garden(slow_s=0.4)
    async with process([garden("north", uses)], database_server.uri, tmp_path) as settings:
        answer = asyncio.create_task(get(f"{settings.url}/flowers"))
        await uses.growing.wait()
    assert await answer == (200, {"items": ["rose"]})
    assert uses.log == ["closed"]
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(f"{settings.url}/flowers")
    records = [json.loads(line) for line in (tmp_path / "log" / "tests.log").read_text().splitlines()]
    events = [record["event"] for record in records]
    assert events[0] == "settings.effective"
    assert "mongodb://" not in str(records[0])
    assert events[-1] == "service.stopped"


async def test_a_job_that_fails_is_begun_again(database_server: DatabaseServer, tmp_path: Path) -> None:
    uses = Garden()
    async with process([garden("north", uses)], database_server.uri, tmp_path):
        await eventually(lambda: uses.watered >= 2)


async def test_two_services_may_not_claim_one_prefix(database_server: DatabaseServer, tmp_path: Path) -> None:
    services = [garden("north", Garden(), prefix="/garden"), garden("south", Garden(), prefix="/garden/south")]
    with pytest.raises(ValueError, match="south claims /garden/south, which is under /garden of north"):
        async with process(services, database_server.uri, tmp_path):
            pass
