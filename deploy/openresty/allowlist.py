"""What the door lets through: every path and method of the services' committed OpenAPI documents, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

MIB = 1024**2
UPLOAD_LIMIT = 64 * MIB
ARCHIVE_LIMIT = 2048 * MIB
MULTIPART_OVERHEAD = MIB // 16
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ARCHIVES = "/api/v1/imports"


class Call(Struct, frozen=True):
    """One method of one path. `klass` names the limits that count it: `any`, or `credentials` where one could guess."""

    operation: str
    klass: str = "any"


class Route(Struct, frozen=True):
    """One path template, the service behind it and the calls it takes. `body_limit` is in bytes, None the usual one.

    `is_page`: it knows people by their session alone, so pages of other sites have no business there.
    """

    path: str
    service: str
    methods: dict[str, Call]
    body_limit: int | None = None
    is_page: bool = False

    @property
    def allow(self) -> str:
        """The `Allow` header of its 405 (RFC 9110, 10.2.1)."""
        names = [*self.methods, "HEAD"] if "GET" in self.methods else list(self.methods)
        return ", ".join(sorted(names))


def routes_of(documents: Mapping[str, Mapping[str, Any]]) -> list[Route]:
    """The routes of all services, by name. Raises ValueError where two services claim one path."""
    routes: dict[str, Route] = {}
    for service, document in sorted(documents.items()):
        for path, item in document["paths"].items():
            if path.startswith("/internal/"):
                continue
            if path in routes:
                raise ValueError(f"{path} is served by both {routes[path].service} and {service}")
            routes[path] = _route(path, service, item)
    return list(routes.values())


def _route(path: str, service: str, item: Mapping[str, Any]) -> Route:
    calls = {method: item[method.lower()] for method in METHODS if method.lower() in item}
    return Route(
        path=path,
        service=service,
        methods={method: Call(call.get("operationId", ""), _class_of(method, call)) for method, call in calls.items()},
        body_limit=_body_limit(path, calls.values()),
        is_page=any({"session": []} in call.get("security", ()) for call in calls.values()),
    )


def _class_of(method: str, call: Mapping[str, Any]) -> str:
    """Changes by nobody in particular are where passwords and the codes of mails are tried: they have the tighter limit.

    What browsers' sessions and OAuth clients prove themselves with is drawn by us, of 128 bits and more.
    """
    return "credentials" if method != "GET" and not call.get("security") else "any"


def _body_limit(path: str, calls: Iterable[Mapping[str, Any]]) -> int | None:
    if path == ARCHIVES:
        return ARCHIVE_LIMIT + MULTIPART_OVERHEAD
    takes = {media for call in calls for media in call.get("requestBody", {}).get("content", {})}
    return UPLOAD_LIMIT + MULTIPART_OVERHEAD if "multipart/form-data" in takes else None
