"""One process: its services assembled, served on its sockets, and drained when it is told to stop.

Start is a row of named steps, each of which registers how it is undone; the end undoes them backwards. On SIGTERM or SIGINT
the process stops accepting, tells open event streams, lets requests in flight finish within a grace period, then ends jobs,
services, bus and database, and writes out what logs and metrics still hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.routing import RuleRouter

from services.chassis import openapi, settings
from services.chassis.application import Mounted, internal_router, public_router
from services.chassis.auth import API_AUDIENCE, JwkSet, Keys, Verifier
from services.chassis.bodies import BodyBudget
from services.chassis.bus.assembly import make_transport
from services.chassis.bus.service_bus import ServiceBus
from services.chassis.bus.transport import Transport
from services.chassis.health import Version, program_version
from services.chassis.http_client import HttpClient
from services.chassis.idempotency import Keys as IdempotencyKeys
from services.chassis.identity import Identity
from services.chassis.instruments import Instruments
from services.chassis.kept_replies import KeptReplies
from services.chassis.live import EventLog
from services.chassis.logs import Logger
from services.chassis.mongo import Mongo
from services.chassis.operations import GIB, KIB, MIB
from services.chassis.origins import NONE
from services.chassis.paging import Cursors
from services.chassis.people import People
from services.chassis.root import Process, root_application
from services.chassis.secrets import Secrets, read_secrets
from services.chassis.service import Built, Chassis, Check, Job, Service
from services.chassis.serving import Requests, Serving
from services.chassis.sessions import BrowserSessions
from services.chassis.settings import ProcessSettings
from services.chassis.tombstones import Tombstones

LARGEST_BODY = 2 * GIB + MIB
IDLE_S = 75
FIRST_RESTART_S, LAST_RESTART_S = 1.0, 60.0
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets of a process: bound here, or inherited from Circus."""

    public: Sequence[socket.socket]
    internal: Sequence[socket.socket]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all services of a process share."""

    process: ProcessSettings
    environ: Mapping[str, str]
    version: Version
    instruments: Instruments
    secrets: Secrets
    mongo: Mongo
    transport: Transport
    keys: Keys
    budget: BodyBudget
    requests: Requests
    sessions: BrowserSessions


async def run_until_stopped(
    services: Sequence[Service],
    process: ProcessSettings,
    environ: Mapping[str, str],
    listeners: Listeners,
    *,
    root: Path,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(services, process, environ, listeners, root=root):
        on_ready()
        await stop.wait()


@asynccontextmanager
async def serving(
    services: Sequence[Service],
    process: ProcessSettings,
    environ: Mapping[str, str],
    listeners: Listeners,
    *,
    root: Path,
) -> AsyncIterator[None]:
    """Everything up while inside; drained and closed at the end, in reverse."""
    async with AsyncExitStack() as stack:
        began = time.monotonic()
        shared = await _share(stack, services, process, environ, root)
        mounted = [await _mount(stack, service, shared) for service in services]
        _listen(stack, _routers(mounted, shared), listeners, shared)
        log = shared.instruments.log
        log.info("service.ready", listens=process.url, ms=round((time.monotonic() - began) * 1000))
        yield


async def _share(
    stack: AsyncExitStack,
    services: Sequence[Service],
    process: ProcessSettings,
    environ: Mapping[str, str],
    root: Path,
) -> Shared:
    """Instruments first, so that everything after them can tell of itself; then what talks to others."""
    name = services[0].name if len(services) == 1 else "runnerly"
    secrets = read_secrets(process)
    instruments = Instruments.begin(name, process, secrets)
    stack.callback(instruments.close)
    version = program_version(root)
    instruments.log.info("settings.effective", settings=settings.effective(process), version=version.version)
    _keep_running(stack, instruments.vitals.run, instruments.log)
    mongo = Mongo(process.mongodb_uri, app_name=name, listeners=[instruments.command_timer])
    stack.callback(mongo.close)
    http = HttpClient("chassis", metrics=instruments.metrics, log=instruments.log)
    stack.push_async_callback(http.close)
    transport = make_transport(process.amqp_url, mongo, metrics=instruments.metrics, log=instruments.log)
    if any(service.needs_database for service in services):
        await transport.start()
        stack.push_async_callback(transport.stop)
    requests = Requests()
    _keep_running(stack, requests.end_overtime, instruments.log)
    return Shared(
        process=process,
        environ=environ,
        version=version,
        instruments=instruments,
        secrets=secrets,
        mongo=mongo,
        transport=transport,
        keys=Keys(_published_keys(http, process), log=instruments.log),
        budget=BodyBudget(process.body_budget_mib * MIB),
        requests=requests,
        sessions=BrowserSessions.at(process.url),
    )


def _published_keys(http: HttpClient, process: ProcessSettings) -> Callable[[], Awaitable[JwkSet]]:
    async def fetch() -> JwkSet:
        url = f"{process.peer('tokendealer')}/.well-known/jwks.json"
        return (await http.request("GET", url, party="tokendealer")).accepted().json(JwkSet)

    return fetch


async def _mount(stack: AsyncExitStack, service: Service, shared: Shared) -> Mounted:
    """Build one service on its own database, bus and identity, and start its jobs."""
    process, instruments = shared.process, shared.instruments
    log = instruments.logs.get_logger(service.name)
    database = shared.mongo.database(service.database)
    http = HttpClient(service.name, metrics=instruments.metrics, log=log)
    stack.push_async_callback(http.close)
    tombstones = Tombstones(database, shared.secrets)
    bus = ServiceBus(
        service.name, shared.transport, database, log=log, metrics=instruments.metrics, departed=tombstones.holds
    )
    stack.push_async_callback(bus.stop)
    chassis = Chassis(
        service=service.name,
        process=process,
        database=database,
        bus=bus,
        http=http,
        identity=Identity.of(service.name, process, http),
        live=EventLog(database, bus),
        tombstones=tombstones,
        metrics=instruments.metrics,
        log=log,
        secrets=shared.secrets,
        clock=lambda: datetime.now(UTC),
    )
    built = await service.build(chassis, settings.read(service.settings, shared.environ))
    stack.push_async_callback(built.close)
    if service.needs_database:
        await tombstones.look()
        _keep_running(stack, tombstones.watch, log)
        await chassis.live.start()
        bus.start()
    for job in built.jobs:
        _keep_running(stack, job, log)
    checks: dict[str, Check] = dict(built.checks)
    if service.needs_database:
        checks["database"] = shared.mongo.ping
    return _mounted(service, chassis, built, checks, shared)


def _mounted(service: Service, chassis: Chassis, built: Built, checks: Mapping[str, Check], shared: Shared) -> Mounted:
    issuer, departed = shared.process.url, chassis.tombstones.refuse
    idempotency = IdempotencyKeys(chassis.database, chassis.secrets) if service.needs_database else None
    public = Serving(
        service=service.name,
        uses=built.uses,
        verifier=Verifier(issuer, shared.keys, API_AUDIENCE, departed=departed),
        sessions=shared.sessions,
        keys=idempotency,
        cursors=Cursors(shared.secrets.derive(f"cursors.{service.name}")),
        metrics=chassis.metrics,
        logs=shared.instruments.logs,
        log=chassis.log,
        budget=shared.budget,
        requests=shared.requests,
        people=_people(service, built, chassis, idempotency),
        origins=shared.process.cors_origins,
        kept=_kept_replies(built, shared.process),
    )
    internal = dataclasses.replace(public, verifier=Verifier(issuer, shared.keys, service.name), origins=NONE)
    return Mounted(service, public, internal, checks)


def _kept_replies(built: Built, process: ProcessSettings) -> KeptReplies | None:
    if built.stamp_of is None or not process.kept_replies_mib:
        return None
    return KeptReplies(built.stamp_of, most_bytes=process.kept_replies_mib * MIB)


def _people(service: Service, built: Built, chassis: Chassis, keys: IdempotencyKeys | None) -> People | None:
    if type(built.people) is not (service.people or type(None)):
        raise TypeError(
            f"{service.name} declares {service.people} as its owner of personal data, and built {built.people}"
        )
    if built.people is None or keys is None:
        return None
    forget = (keys.forget, chassis.live.forget, chassis.bus.forget)
    return People(chassis.service, built.people, chassis.tombstones, forget)


def _keep_running(stack: AsyncExitStack, job: Job, log: Logger) -> None:
    stack.push_async_callback(_cancel, asyncio.create_task(_kept_running(job, log)))


async def _kept_running(job: Job, log: Logger) -> None:
    """A job that fails is told of and begun again, later and later: it must not be gone until somebody looks."""
    wait_s = FIRST_RESTART_S
    while True:
        try:
            await job()
        except Exception as error:  # the boundary of a background loop: whatever it was, it is logged and tried again
            log.error("job.failed", job=job.__qualname__, exc_info=error)  # noqa: TRY400 - the catalogue knows its level
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LAST_RESTART_S)
        else:
            return


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _routers(mounted: Sequence[Mounted], shared: Shared) -> tuple[RuleRouter, RuleRouter]:
    compress = not shared.process.behind_door
    about = Process(
        checks={m.service.name: m.checks for m in mounted},
        documents={
            m.service.name: openapi.document(
                m.service.name, m.service.summary, shared.version.version, m.service.routes
            )
            for m in mounted
            if m.service.routes
        },
        version=shared.version,
    )
    own = dataclasses.replace(mounted[0].public, service="chassis", uses=about)
    application = root_application(own, compress=compress)
    return public_router(mounted, application, compress=compress), internal_router(mounted, application)


def _listen(
    stack: AsyncExitStack, routers: tuple[RuleRouter, RuleRouter], listeners: Listeners, shared: Shared
) -> None:
    """Serve on the sockets; the undoing is the drain."""
    servers = []
    for router, sockets in zip(routers, (listeners.public, listeners.internal), strict=True):
        server = HTTPServer(
            router,
            xheaders=shared.process.behind_door,
            max_body_size=LARGEST_BODY,
            max_header_size=32 * KIB,
            idle_connection_timeout=IDLE_S,
        )
        server.add_sockets(sockets)
        servers.append(server)
    stack.push_async_callback(_drain, servers, shared)


async def _drain(servers: Sequence[HTTPServer], shared: Shared) -> None:
    """Accept no more, end event streams, let requests finish, and only then close what is still connected."""
    began, log = time.monotonic(), shared.instruments.log
    log.info("service.draining", requests=shared.requests.running)
    for server in servers:
        server.stop()
    shared.requests.draining.set()
    cut = await shared.requests.finish(shared.process.drain_s)
    for server in servers:
        await server.close_all_connections()
    log.info("service.stopped", ms=round((time.monotonic() - began) * 1000), cut=cut)


def bind(port: int, host: str) -> list[socket.socket]:
    """Listening sockets on a port. Raises `WrongSetting` where it is taken."""
    try:
        return bind_sockets(port, host, backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise settings.WrongSetting(f"Port {port} on {host} can't be used ({error.strerror}): set another") from None


def inherit(fd: int) -> socket.socket:
    """The listening socket that Circus handed down as a file descriptor."""
    inherited = socket.socket(fileno=fd)
    inherited.setblocking(False)
    return inherited
