"""What there is to be tried: every operation of every service, from the OpenAPI documents that they make of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.chassis import openapi
from services.chassis.endpoint import Route
from services.chassis.service import Service
from services.command.street import street

Told = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One of them. `needs` is a scope, or what it knows its caller by, or nothing."""

    service: str
    id: str
    method: str
    path: str
    needs: str
    media_types: frozenset[str]

    @property
    def parameters(self) -> list[str]:
        """The names in its path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def scope(self) -> str | None:
        """The scope that it needs."""
        return None if self.needs in {"nothing", "cookie", "client"} else self.needs


def public() -> list[Operation]:
    """What people and apps may call."""
    return [one for service in street() for one in operations(service, service.routes)]


def internal() -> list[Operation]:
    """What only services may call."""
    return [one for service in street() for one in operations(service, service.all_internal_routes)]


def operations(service: Service, routes: tuple[Route, ...]) -> Iterator[Operation]:
    """Those of one service."""
    document = openapi.document(service.name, service.summary, "1", routes)
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {})
            yield Operation(service.name, told["operationId"], method.upper(), path, needs(told), frozenset(content))


def needs(told: Told) -> str:
    """What an operation wants to know of its caller."""
    if "x-scope" in told:
        return str(told["x-scope"]["name"])
    known_by = {name for way in told["security"] for name in way}
    return {"session": "cookie", "client": "client"}[known_by.pop()] if known_by else "nothing"
