"""A service of the test's own, on a real Tornado server with real tokens: what endpoints are tried on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, URLSpec

from services.chassis import openapi
from services.chassis.auth import BadToken, Caller
from services.chassis.bodies import BodyBudget
from services.chassis.catalogue import LogCatalogue, MetricCatalogue
from services.chassis.endpoint import Nowhere, Route
from services.chassis.idempotency import Keys
from services.chassis.kept_replies import KeptReplies, StampOf
from services.chassis.log_records import Record
from services.chassis.logs import configure_logging
from services.chassis.metrics import NoMetrics
from services.chassis.mongo import Database
from services.chassis.operations import GIB, MIB
from services.chassis.origins import Origins
from services.chassis.paging import Cursors
from services.chassis.secrets import KEK_BYTES, Secrets
from services.chassis.serving import Requests, Serving
from services.chassis.sessions import BrowserSessions
from tests.support.contract import Contract, checking
from tests.support.recorded import Memory


class KnownCallers:
    """A verifier of made-up tokens: each test says which token is whose."""

    def __init__(self, callers: dict[str, Caller]) -> None:
        self.callers = callers

    def cached(self, token: str) -> Caller | None:
        """Never at once, so that the waiting path is tried too."""
        return None

    async def verify(self, token: str) -> Caller:
        """The caller of this token."""
        await asyncio.sleep(0)
        if token not in self.callers:
            raise BadToken
        return self.callers[token]


def runner(sub: str, *scopes: str) -> Caller:
    """A person with these scopes, for an hour."""
    return Caller(sub, frozenset(scopes), "runnerly-api", None, "person", time.time() + 3600)


@dataclass
class Running:
    """A service that serves. `records` are what it logged."""

    url: str
    client: aiohttp.ClientSession
    serving: Serving
    records: list[Record] = field(default_factory=list)


@asynccontextmanager
async def running(
    routes: Iterable[Route],
    *,
    uses: Any = None,
    callers: dict[str, Caller] | None = None,
    database: Database | None = None,
    compress: bool = False,
    budget: int = 256 * MIB,
    origins: Iterable[str] = (),
    stamp_of: StampOf | None = None,
    make: Callable[[dict[str, Any]], list[URLSpec]] | None = None,
) -> AsyncIterator[Running]:
    """Serve these routes on a free port of loopback while inside."""
    routes = list(routes)
    records: list[Record] = []
    logs = configure_logging(
        service="tests",
        environment="development",
        level="debug",
        gelf_url=None,
        person_key=b"key of tests",
        catalogue=LogCatalogue.read(),
        stdout=None,
        also={"memory": Memory(records)},
    )
    sockets = bind_sockets(0, "127.0.0.1")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    if database is not None:
        from services.chassis.idempotency import COLLECTION  # noqa: PLC0415

        await database.apply([COLLECTION])
    serving = Serving(
        service="tests",
        uses=uses,
        verifier=KnownCallers(callers or {}),  # type: ignore[arg-type]
        sessions=BrowserSessions.at(url),
        keys=Keys(database, Secrets(b"k" * KEK_BYTES)) if database is not None else None,
        cursors=Cursors(b"key of cursors"),
        metrics=NoMetrics(MetricCatalogue.read()),
        logs=logs,
        log=logs.get_logger("tests"),
        budget=BodyBudget(budget),
        requests=Requests(),
        origins=Origins(origins),
        kept=KeptReplies(stamp_of, most_bytes=MIB) if stamp_of else None,
    )
    arguments = {"serving": serving}
    application = Application(
        [URLSpec(route.pattern, route.endpoint, arguments) for route in routes],
        default_handler_class=Nowhere,
        default_handler_args=arguments,
        compress_response=compress,
    )
    server = HTTPServer(application, max_body_size=2 * GIB)
    server.add_sockets(sockets)
    sweeper = asyncio.create_task(serving.requests.end_overtime())
    contract = Contract(openapi.document("tests", "What is under test.", "1", routes))
    async with aiohttp.ClientSession(trace_configs=[checking(contract)]) as client:
        yield Running(url, client, serving, records)
    sweeper.cancel()
    server.stop()
    await server.close_all_connections()
    logs.close()
