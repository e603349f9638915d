"""The two servers whose ratio is the chassis's cost: a bare Tornado handler, and an endpoint with all that surrounds it."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import uvloop
from msgspec import Struct
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler, URLSpec

from services.chassis.answers import Answer
from services.chassis.auth import API_AUDIENCE, Keys, Verifier
from services.chassis.bodies import BodyBudget
from services.chassis.catalogue import LogCatalogue, MetricCatalogue
from services.chassis.endpoint import Endpoint, Route
from services.chassis.log_records import Record
from services.chassis.logs import configure_logging
from services.chassis.operations import operation
from services.chassis.paging import Cursors
from services.chassis.serving import Requests, Serving
from services.chassis.sessions import BrowserSessions
from services.chassis.statsd import open_metrics
from tests.support.signing import ISSUER, Issuer


class Run(Struct, frozen=True):
    """About 330 bytes of JSON, as a list shows an activity."""

    id: str
    sport: str
    title: str
    started_at: datetime
    timezone: str
    local_date: str
    distance_m: float
    elapsed_s: float
    moving_s: float
    ascent_m: float
    average_speed_mps: float
    average_heart_rate_bpm: float | None
    visibility: str


RUN = Run("b1946ac92492d234", "running", "Morning run", datetime(2026, 5, 1, 6, 30, tzinfo=UTC), "Europe/Ljubljana",
          "2026-05-01", 10_012.3, 3_011.0, 2_980.0, 84.0, 3.36, 148.0, "private")  # fmt: skip


class Nowhere:
    """A way out of logs that renders and forgets, so that their whole cost but the pipe's is in the measure."""

    def write(self, records: Sequence[Record]) -> None:
        """Render them."""
        for record in records:
            record.line()

    def close(self) -> None:
        """Nothing to let go of."""


class BareRun(RequestHandler):
    """What Tornado costs by itself."""

    def get(self) -> None:
        """Write the same bytes."""
        self.set_header("Content-Type", "application/json")
        self.write(msgspec.json.encode(RUN))


class ChassisRun(Endpoint[None]):
    """The same through the whole chassis."""

    @operation("readActivity", scope="activities:read")
    async def get(self) -> Answer[Run]:
        """Read a run."""
        return Answer(RUN, version=7)


async def serve(kind: str, sockets: list[socket.socket], statsd_port: int) -> None:
    """Serve until killed; print the token to ask with."""
    issuer = Issuer("k1")
    verifier = Verifier(ISSUER, Keys(issuer.jwks), API_AUDIENCE)
    token = issuer.token(scope="activities:read", exp=int(time.time()) + 3600)
    logs = configure_logging(
        service="bench", environment="production", level="info", gelf_url=None, person_key=b"k", catalogue=LogCatalogue.read(),
        stdout=None, also={"null": Nowhere()},
    )  # fmt: skip
    metrics = open_metrics(f"udp://127.0.0.1:{statsd_port}", MetricCatalogue.read(), strict=False)
    serving = Serving("bench", None, verifier, BrowserSessions.at(ISSUER), None, Cursors(b"k"), metrics, logs,
                      logs.get_logger("bench"), BodyBudget(1 << 28), Requests())  # fmt: skip
    routes = [Route("/run", ChassisRun)]
    application = (
        Application([("/run", BareRun)])
        if kind == "bare"
        else Application([URLSpec(route.pattern, route.endpoint, {"serving": serving}) for route in routes])
    )
    server = HTTPServer(application)
    server.add_sockets(sockets)
    print(token, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    listening = socket.socket(fileno=int(sys.argv[2]))
    listening.setblocking(False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], [listening], int(sys.argv[3])))
