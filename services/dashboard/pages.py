"""The pages a browser opens. Every path shows the same document; its script sees which one it is."""

from __future__ import annotations

from msgspec import Struct

from services.chassis.answers import File
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Pages(Struct, frozen=True):
    """The document, as bytes."""

    index: bytes


class ActivationLink(Struct, frozen=True, forbid_unknown_fields=True):
    """What the link carries; only the page's script reads it."""

    token: str = ""


class FrontPage(Endpoint[Pages]):
    """The one page."""

    @operation("readFrontPage", scope=None)
    async def get(self) -> File:
        """Show the page."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-cache")
        return File(self.uses.index, "text/html; charset=utf-8")


class ActivationPage(Endpoint[Pages]):
    """Where the link in the activation mail leads."""

    @operation("readActivationPage", scope=None)
    async def get(self, query: ActivationLink) -> File:
        """Show the page, which activates the account that the link's token names."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        return File(self.uses.index, "text/html; charset=utf-8")


ROUTES = (Route("/", FrontPage), Route("/activate", ActivationPage))
