"""What a house declares of itself, what it is given to stand on, and what it hands back when it is built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from services.chassis import idempotency, live, people_endpoint, tombstones
from services.chassis.bus import inbox, outbox
from services.chassis.bus.service_bus import ServiceBus
from services.chassis.endpoint import Route
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity
from services.chassis.kept_replies import StampOf
from services.chassis.live import EventLog
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import CollectionSpec, Database, Migration
from services.chassis.people import PeopleOwner
from services.chassis.secrets import Secrets
from services.chassis.settings import ProcessSettings
from services.chassis.tombstones import Tombstones

Check = Callable[[], Awaitable[None]]
Job = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Close what needs no closing."""


@dataclass(frozen=True, slots=True)
class Built:
    """A service that is ready to serve.

    `uses` goes to the handlers; `checks` are asked by `/__heartbeat__`, beside the database; `jobs` run from now until the
    process drains, when they are cancelled; `close` ends what `build` began; `people` answers for personal data; `stamp_of`
    tells what a person's things were last changed by, where replies are kept.
    """

    uses: Any
    checks: Mapping[str, Check] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    close: Callable[[], Awaitable[None]] = nothing
    people: PeopleOwner | None = None
    stamp_of: StampOf | None = None


@dataclass(frozen=True, slots=True)
class Chassis:
    """What a service is given: its own database, its side of the bus, its own identity and client, and the instruments."""

    service: str
    process: ProcessSettings
    database: Database
    bus: ServiceBus
    http: HttpClient
    identity: Identity
    live: EventLog
    tombstones: Tombstones
    metrics: Metrics
    log: Logger
    secrets: Secrets
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Service:
    """A house, as it declares itself in its `app.py`. Nothing connects at import.

    `prefixes` are the public paths it answers under, disjoint over all services. `routes` are public, `internal_routes`
    only for services. `collections` and `migrations` are brought about by `runnerly migrate`. `assets` are folders of files
    to serve as they are. `build` is the composition root; where it builds an owner of personal data, `people` is its class.
    """

    name: str
    summary: str
    prefixes: tuple[str, ...]
    routes: tuple[Route, ...]
    settings: type[Struct]
    build: Callable[[Chassis, Any], Awaitable[Built]]
    internal_routes: tuple[Route, ...] = ()
    collections: tuple[CollectionSpec, ...] = ()
    migrations: tuple[Migration, ...] = ()
    assets: Mapping[str, Path] = field(default_factory=dict)
    needs_database: bool = True
    people: type[PeopleOwner] | None = None

    @property
    def database(self) -> str:
        """The name of its database."""
        return f"runnerly_{self.name}"

    @property
    def all_collections(self) -> tuple[CollectionSpec, ...]:
        """Its own collections, and those that the chassis keeps for it beside them."""
        kept = (
            idempotency.COLLECTION,
            tombstones.TOMBSTONES,
            *live.COLLECTIONS,
            *outbox.COLLECTIONS,
            *inbox.COLLECTIONS,
        )
        return (*self.collections, *kept)

    @property
    def all_internal_routes(self) -> tuple[Route, ...]:
        """Its own internal routes, and the people protocol's."""
        return (*self.internal_routes, *people_endpoint.ROUTES)
