"""Writes the door's configuration: nginx.conf for the nginx that is here, and door.json for its Lua.

Everything is derived at start from the committed OpenAPI documents and the environment, so that nothing can be stale.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from deploy.openresty.allowlist import ARCHIVES, Route, routes_of
from deploy.openresty.settings import DoorSettings
from deploy.templates import fill
from services.chassis import problems
from services.chassis.origins import ANSWER_HEADERS

HERE = Path(__file__).parent
MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")


def render(settings: DoorSettings, nginx: str, documents: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write all that `nginx` (a path) needs to serve these services' documents; returns the path of nginx.conf."""
    routes, services = routes_of(documents), sorted(documents)
    (settings.run / "nginx").mkdir(parents=True, exist_ok=True)
    values: dict[str, object] = {
        "run": settings.run,
        "lua": HERE,
        "modules": modules_of(nginx),
        # Started by root, nginx would let its workers fall to a user who can't reach the services' sockets.
        "user": "user root root;" if os.geteuid() == 0 else "",
        "workers": settings.door_workers,
        "listen": f"{settings.host}:{settings.port}",
        "internal_port": settings.internal_port,
        "connections": settings.share(settings.door_connections),
        "scheme": "https" if settings.is_https else "http",
        "trusted_proxies": _trusted(settings.trusted_proxies.replace(",", " ").split()),
        "large_bodies": _large_bodies(routes, settings.run),
        "upstreams": _upstreams(services, settings),
        "services_pattern": "|".join(services),
    }
    (settings.run / "door.json").write_bytes(msgspec.json.encode(_for_lua(settings, routes, documents)))
    for name in ("to_services.conf", "nginx.conf"):
        (settings.run / name).write_text(fill(HERE / f"{name}.template", values), "utf-8")
    return settings.run / "nginx.conf"


def modules_of(nginx: str) -> str:
    """The lines that load Lua: none for OpenResty, which has it built in, two for Debian's nginx."""
    about = subprocess.run([nginx, "-V"], check=True, capture_output=True, text=True).stderr  # noqa: S603 - the nginx we were told
    if "openresty" in about:
        return ""
    path = re.search(r"--modules-path=(\S+)", about)
    folder = Path(path[1]) if path else Path("/usr/lib/nginx/modules")
    missing = [name for name in MODULES if not (folder / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{nginx} has no {', '.join(missing)} in {folder}: install libnginx-mod-http-lua, or use OpenResty"
        )
    return "\n".join(f"load_module {folder / name};" for name in MODULES)


def _trusted(proxies: list[str]) -> str:
    """Load balancers in front of us, whose word on the client's address counts; nobody's where none is named."""
    if not proxies:
        return ""
    return "\n    ".join([*(f"set_real_ip_from {proxy};" for proxy in proxies), "real_ip_header X-Forwarded-For;"])


def _large_bodies(routes: list[Route], run: Path) -> str:
    return "\n        ".join(
        f"location = {route.path} {{ client_max_body_size {route.body_limit}; {_buffering(route)}"
        f"include {run}/to_services.conf; }}"
        for route in routes
        if route.body_limit is not None and "{" not in route.path
    )


def _buffering(route: Route) -> str:
    """An archive is not first kept whole at the door, whose disk may be memory: the service puts it away as it comes."""
    return "proxy_request_buffering off; " if route.path == ARCHIVES else ""


def _upstreams(services: list[str], settings: DoorSettings) -> str:
    return "\n    ".join(
        f"upstream health_{service} {{ server unix:{settings.socket(service)}; }}\n    "
        f"upstream internal_{service} {{ server unix:{settings.internal_socket(service)}; }}"
        for service in services
    )


def _for_lua(settings: DoorSettings, routes: list[Route], documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    services = sorted(documents)
    return {
        "https": settings.is_https,
        "services": services,
        "documents": [service for service in services if "openapi" in documents[service]],
        "sockets": {service: f"unix:{settings.socket(service)}" for service in services},
        "limits": {
            "any": _limit(settings, settings.door_rate, settings.door_burst),
            "credentials": _limit(settings, settings.door_credentials_rate, settings.door_credentials_burst),
        },
        "origins": dict.fromkeys(settings.cors_origins, True),
        "exposed": ANSWER_HEADERS,
        "problems": {kind.kind: _problem(kind) for kind in problems.STATUS},
        "routes": [
            {
                "path": route.path,
                "service": route.service,
                "allow": route.allow,
                "page": route.is_page,
                "methods": {
                    method: {"operation": call.operation, "class": call.klass} for method, call in route.methods.items()
                },
            }
            for route in routes
        ],
    }


def _limit(settings: DoorSettings, rate: float, burst: int) -> dict[str, float]:
    return {"rate": rate / settings.door_nodes, "burst": settings.share(burst)}


def _problem(kind: type[problems.Problem]) -> dict[str, Any]:
    return {"type": problems.type_of(kind), "title": kind.title, "status": int(problems.status_of(kind))}
