"""The composition root of the front page."""

from __future__ import annotations

from pathlib import Path

from services.chassis.service import Built, Chassis, Service
from services.dashboard.pages import ROUTES, Pages
from services.dashboard.settings import DashboardSettings

STATIC = Path(__file__).parent / "static"


async def build(chassis: Chassis, settings: DashboardSettings) -> Built:  # noqa: ARG001, RUF029, RUF100 - the shape of every build
    """Read the page once; it is the same for everybody."""
    return Built(uses=Pages((STATIC / "index.html").read_bytes()))


SERVICE = Service(
    name="dashboard",
    summary="The front page.",
    prefixes=("/", "/assets", *(route.path for route in ROUTES if route.path != "/")),
    routes=ROUTES,
    assets={"/assets": STATIC},
    settings=DashboardSettings,
    build=build,
    needs_database=False,
)
