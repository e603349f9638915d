"""The two transports, each with the real thing on its other side; every test here runs on both."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import pytest

from services.chassis.bus import inbox, mongo, outbox
from services.chassis.bus.mongo import MongoTransport
from services.chassis.bus.rabbitmq import RabbitTransport
from services.chassis.bus.retry import Retry
from services.chassis.bus.service_bus import Departed, ServiceBus
from services.chassis.bus.transport import Transport
from services.chassis.logs import Logger
from services.chassis.mongo import Database
from tests.support.database import DatabaseServer
from tests.support.rabbitmq import RabbitServer
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.waiting import eventually

IMPATIENT = Retry(attempts=3, first_s=0.05, most_s=0.2)
_numbers = itertools.count(1)


class Server(Protocol):
    """What carries the messages, as a process that can be killed."""

    def launch(self) -> None: ...
    def ready(self) -> bool: ...
    def kill(self) -> None: ...


class Bus:
    """One kind of transport with its server. Each `process()` is what one process of a service would have."""

    def __init__(self, kind: str, address: dict[str, str], server: Server, make: Callable[..., Transport]) -> None:
        self.kind = kind
        self.address = address
        self._server = server
        self._make = make
        self._running: list[Transport] = []

    async def process(self, **options: Any) -> Transport:
        """A transport of its own, started."""
        transport = self._make(**{"retry": IMPATIENT, **options})
        self._running.append(transport)
        await transport.start()
        return transport

    async def end(self, transport: Transport) -> None:
        """Stop one of them in good order."""
        self._running.remove(transport)
        await transport.stop(within_s=5)

    def kill_server(self) -> None:
        """`kill -9` what carries the messages."""
        self._server.kill()

    async def revive_server(self) -> None:
        """Start it again, and return when it is there."""
        self._server.launch()
        await eventually(self._server.ready)

    async def close(self) -> None:
        for transport in self._running:
            await transport.stop(within_s=1)


@pytest.fixture
def recorded_logs() -> Any:
    logs = RecordedLogs()
    yield logs
    logs.close()


@pytest.fixture
def log(recorded_logs: RecordedLogs) -> Logger:
    return recorded_logs.logger()


@pytest.fixture
def metrics() -> RecordedMetrics:
    return RecordedMetrics()


@pytest.fixture(params=["mongodb", "rabbitmq"])
async def bus(
    request: pytest.FixtureRequest,
    database_server: DatabaseServer,
    fresh_database: Callable[[str], Database],
    log: Logger,
    metrics: RecordedMetrics,
) -> AsyncIterator[Bus]:
    """A transport that nobody has used, with its server."""
    if request.param == "mongodb":
        made = await on_mongodb(database_server, fresh_database("bus"), log, metrics)
    else:
        made = on_rabbitmq(request.getfixturevalue("rabbitmq"), log, metrics)
    yield made
    await made.close()


async def on_mongodb(server: DatabaseServer, database: Database, log: Logger, metrics: RecordedMetrics) -> Bus:
    await database.apply(mongo.COLLECTIONS)

    def make(**options: Any) -> Transport:
        return MongoTransport(database, log=log, metrics=metrics, **{"poll_s": 0.2, **options})

    return Bus("mongodb", {"uri": server.uri, "name": database.name}, server, make)


def on_rabbitmq(server: RabbitServer, log: Logger, metrics: RecordedMetrics) -> Bus:
    prefix = f"test{next(_numbers)}"

    def make(*, lease_s: float | None = None, **options: Any) -> Transport:
        held = {"hold_after_s": lease_s / 5, "lease_s": lease_s} if lease_s else {}
        return RabbitTransport(server.url, log=log, metrics=metrics, prefix=prefix, **held, **options)

    return Bus("rabbitmq", {"url": server.url, "prefix": prefix}, server, make)


@pytest.fixture
async def service_database(fresh_database: Callable[[str], Database]) -> Database:
    """The own database of a service, with an outbox, an inbox and a collection `effects`."""
    database = fresh_database("service")
    await database.apply((*outbox.COLLECTIONS, *inbox.COLLECTIONS))
    return database


@pytest.fixture
def service(log: Logger, metrics: RecordedMetrics) -> Callable[..., ServiceBus]:
    """A factory: one service's side of the bus, with a transport and a database."""

    def make(name: str, transport: Transport, database: Database, departed: Departed = nobody) -> ServiceBus:
        return ServiceBus(name, transport, database, log=log, metrics=metrics, departed=departed)

    return make


async def nobody(_sub: str) -> bool:
    """Nobody was deleted."""
    return False
