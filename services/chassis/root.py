"""What a process answers for all of its services: health, version, the OpenAPI documents, and the page to try them at."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from tornado.routing import URLSpec
from tornado.web import Application

from services.chassis.answers import Answer, File, Items
from services.chassis.application import Assets
from services.chassis.endpoint import Endpoint, Nowhere, Route
from services.chassis.health import Health, Version, examine
from services.chassis.operations import operation
from services.chassis.problems import NotFound
from services.chassis.service import Check
from services.chassis.serving import Serving

PAGE = Path(__file__).parent / "docs_page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Process(Struct, frozen=True):
    """What the root knows of the process: the checks of each service, the documents, and its version."""

    checks: Mapping[str, Mapping[str, Check]]
    documents: Mapping[str, Mapping[str, Any]]
    version: Version


class Alive(Struct, frozen=True):
    """The process answers."""

    status: str = "ok"


class LoadBalancerHeartbeat(Endpoint[Process]):
    """What a load balancer asks: no backend is touched, or a database blip would kill the fleet."""

    @operation("readLoadBalancerHeartbeat", scope=None)
    async def get(self) -> Alive:
        """Say that the process answers."""
        return Alive()


class Heartbeat(Endpoint[Process]):
    """How every service and its backends are."""

    @operation("readHeartbeat", scope=None)
    async def get(self) -> Answer[Health]:
        """Check the backends of every service of this process."""
        checks = {
            f"{service}.{name}": check for service, named in self.uses.checks.items() for name, check in named.items()
        }
        return told(await examine(checks))


class ServiceHealth(Endpoint[Process]):
    """How one service and its backends are."""

    @operation("readServiceHealth", scope=None)
    async def get(self, service: str) -> Answer[Health]:
        """Check the backends of one service."""
        if service not in self.uses.checks:
            raise NotFound("This process has no such service")
        return told(await examine(self.uses.checks[service]))


def told(health: Health) -> Answer[Health]:
    """The answer for a state of health: 503 is what monitors look for."""
    return Answer(health, status=200 if health.status == "ok" else 503, headers={"Cache-Control": "no-store"})


class VersionEndpoint(Endpoint[Process]):
    """Which program this is."""

    @operation("readVersion", scope=None)
    async def get(self) -> Version:
        """Read the version, and the commit it was built from."""
        return self.uses.version


class Documents(Endpoint[Process]):
    """The services that have an OpenAPI document."""

    @operation("listOpenApiDocuments", scope=None)
    async def get(self) -> Items[str]:
        """List the services of this process by name."""
        return Items(list(self.uses.documents))


class Document(Endpoint[Process]):
    """The OpenAPI document of one service."""

    @operation("readOpenApiDocument", scope=None)
    async def get(self, name: str) -> File:
        """Read the OpenAPI 3.1 document of a service."""
        service = name.removesuffix(".json")
        if service == name or service not in self.uses.documents:
            raise NotFound("There is no such document")
        return File(msgspec.json.encode(self.uses.documents[service]), "application/json")


class DocumentationPage(Endpoint[Process]):
    """The page to read and try the API at."""

    @operation("readDocumentationPage", scope=None)
    async def get(self) -> File:
        """Show the page."""
        self.set_header("Content-Security-Policy", POLICY)
        return File((PAGE / "index.html").read_bytes(), "text/html; charset=utf-8")


class DocumentationScript(Endpoint[Process]):
    """What fills the page."""

    @operation("readDocumentationScript", scope=None)
    async def get(self) -> File:
        """Read the page's script."""
        return File((PAGE / "start.js").read_bytes(), "text/javascript; charset=utf-8")


ROUTES = (
    Route("/__lbheartbeat__", LoadBalancerHeartbeat),
    Route("/__heartbeat__", Heartbeat),
    Route("/__version__", VersionEndpoint),
    Route("/api/health/{service}", ServiceHealth),
    Route("/api/openapi", Documents),
    Route("/api/openapi/{name}", Document),
    Route("/api/docs", DocumentationPage),
    Route("/api/docs/start.js", DocumentationScript),
)


def root_application(serving: Serving, *, compress: bool) -> Application:
    """The application for whatever is no service's own."""
    arguments = {"serving": serving}
    assets = URLSpec(r"/api/docs/assets/(swagger-ui[\w.-]+)", Assets, {"path": str(files("swagger_ui") / "static")})
    return Application(
        [*(URLSpec(route.pattern, route.endpoint, arguments) for route in ROUTES), assets],
        default_handler_class=Nowhere,
        default_handler_args=arguments,
        compress_response=compress,
    )
