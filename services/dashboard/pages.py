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


class MailedLink(Struct, frozen=True, forbid_unknown_fields=True):
    """What a link in a mail carries; only the page's script reads it."""

    token: str = ""


class Page(Endpoint[Pages]):
    """What all pages have in common."""

    def shown(self, caching: str) -> File:
        """The document."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", caching)
        return File(self.uses.index, "text/html; charset=utf-8")


class FrontPage(Page):
    """The one page."""

    @operation("readFrontPage", scope=None)
    async def get(self) -> File:
        """Show the page."""
        return self.shown("no-cache")


class ForgottenPage(Page):
    """For who has forgotten their password."""

    @operation("readForgottenPage", scope=None)
    async def get(self) -> File:
        """Show the page, which asks for an address and has a link mailed there."""
        return self.shown("no-cache")


class ActivationPage(Page):
    """Where the link in the activation mail leads."""

    @operation("readActivationPage", scope=None)
    async def get(self, query: MailedLink) -> File:
        """Show the page, which activates the account that the link's token names."""
        return self.shown("no-store")


class PasswordPage(Page):
    """Where the link in a mail about a new password leads."""

    @operation("readPasswordPage", scope=None)
    async def get(self, query: MailedLink) -> File:
        """Show the page, which asks for a new password for the account that the link's token names."""
        return self.shown("no-store")


class EmailPage(Page):
    """Where the link in the mail to a new address leads."""

    @operation("readEmailPage", scope=None)
    async def get(self, query: MailedLink) -> File:
        """Show the page, which makes the address that of the account that the link's token names."""
        return self.shown("no-store")


class UnlockPage(Page):
    """Where the link in a mail about a locked account leads."""

    @operation("readUnlockPage", scope=None)
    async def get(self, query: MailedLink) -> File:
        """Show the page, which unlocks the account that the link's token names."""
        return self.shown("no-store")


ROUTES = (
    Route("/", FrontPage),
    Route("/forgot-password", ForgottenPage),
    Route("/activate", ActivationPage),
    Route("/reset-password", PasswordPage),
    Route("/confirm-email", EmailPage),
    Route("/unlock", UnlockPage),
)
