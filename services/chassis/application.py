"""The Tornado applications of a process: one a service, mounted side by side by the prefixes they declare.

In the public server a service answers under its own prefixes. In the internal one, on loopback, each service has all of its
routes, the internal ones too, under `/<service>`: several services in one process have the same `/internal/v1/people/{sub}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from tornado.routing import AnyMatches, PathMatches, Rule, RuleRouter, URLSpec
from tornado.web import Application, StaticFileHandler

from services.chassis import problems
from services.chassis.endpoint import Nowhere, Route
from services.chassis.service import Check, Service
from services.chassis.serving import Serving


class Assets(StaticFileHandler):
    """Files as they are; one that is not there is a problem like any other."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002, RUF100 - Tornado's own shape
        """Let browsers keep a file, and ask whether it is still the one."""
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")

    def set_default_headers(self) -> None:
        """Name no library."""
        self.set_header("Server", "Runnerly")

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ARG002, RUF100 - Tornado's own shape
        """Tell that files are only read, or that there is no such file: also where its name leads elsewhere."""
        only_read = status_code == HTTPStatus.METHOD_NOT_ALLOWED
        problem = problems.MethodNotAllowed(headers={"Allow": "HEAD, GET"}) if only_read else problems.NotFound()
        self.set_status(int(problems.status_of(type(problem))))
        for name, value in {**problems.headers_of(problem), "Content-Type": problems.MEDIA_TYPE}.items():
            self.set_header(name, value)
        self.finish(msgspec.json.encode(problems.as_document(problem, self.request.path)))


class ServiceApplication(Application):
    """The application of one service."""

    def __init__(
        self,
        routes: Iterable[Route],
        serving: Serving,
        *,
        assets: Mapping[str, Path] | None = None,
        under: str = "",
        compress: bool = False,
    ) -> None:
        arguments = {"serving": serving}
        folders = [
            URLSpec(f"{re.escape(under + path)}/(.+)", Assets, {"path": str(folder)})
            for path, folder in (assets or {}).items()
        ]
        super().__init__(
            [*(URLSpec(re.escape(under) + route.pattern, route.endpoint, arguments) for route in routes), *folders],
            default_handler_class=Nowhere,
            default_handler_args=arguments,
            compress_response=compress,
        )


@dataclass(frozen=True, slots=True)
class Mounted:
    """One service, built, with what serves its public and its internal side (they verify different audiences)."""

    service: Service
    public: Serving
    internal: Serving
    checks: Mapping[str, Check]


def public_router(mounted: Sequence[Mounted], root: Application, *, compress: bool) -> RuleRouter:
    """All public applications; what belongs to none is the root's: health, documentation, and the answer that nothing is there.

    Raises ValueError where two services claim a prefix: the first that matches would answer, also with 404.
    """
    _check_disjoint([(m.service.name, prefix) for m in mounted for prefix in m.service.prefixes])
    rules = []
    for m in mounted:
        application = ServiceApplication(m.service.routes, m.public, assets=m.service.assets, compress=compress)
        rules += [Rule(PathMatches(_under(prefix)), application) for prefix in m.service.prefixes]
    return RuleRouter([*rules, Rule(AnyMatches(), root)])


def internal_router(mounted: Sequence[Mounted], root: Application) -> RuleRouter:
    """Every service with all of its routes under its name."""
    rules = [
        Rule(
            PathMatches(_under(f"/{m.service.name}")),
            RuleRouter(
                [
                    Rule(PathMatches(f"/{m.service.name}/internal(?:/.*)?"), _internal_application(m)),
                    Rule(AnyMatches(), ServiceApplication(m.service.routes, m.public, under=f"/{m.service.name}")),
                ]
            ),
        )
        for m in mounted
    ]
    return RuleRouter([*rules, Rule(AnyMatches(), root)])


def _internal_application(m: Mounted) -> ServiceApplication:
    return ServiceApplication(m.service.all_internal_routes, m.internal, under=f"/{m.service.name}")


def _under(prefix: str) -> str:
    """Everything at and under a prefix; the prefix `/` is that page alone."""
    return "/" if prefix == "/" else f"{re.escape(prefix)}(?:/.*)?"


def _check_disjoint(claims: list[tuple[str, str]]) -> None:
    for service, prefix in claims:
        for other, taken in claims:
            if (
                (service, prefix) != (other, taken)
                and f"{prefix}/".startswith(f"{taken.rstrip('/')}/")
                and taken != "/"
            ):
                raise ValueError(f"{service} claims {prefix}, which is under {taken} of {other}")
