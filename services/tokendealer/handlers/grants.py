"""The page of apps that a person let in, and how they are shown out again."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from services.chassis.answers import Answer, File
from services.chassis.endpoint import Route
from services.chassis.operations import KIB, operation
from services.chassis.sessions import CrossSite
from services.tokendealer.handlers.browser import BrowserPage

PATH = "/oauth/grants"


class Withdrawal(Struct, frozen=True, forbid_unknown_fields=True):
    """The app that may do nothing more."""

    client_id: Annotated[str, Meta(min_length=1, max_length=128)]


class GrantedApps(BrowserPage):
    """The apps that a person let in."""

    @operation("showGrantedApps", scope=None, redirects=True)
    async def get(self) -> Answer[File]:
        """Show the apps that the person at the browser let in."""
        person = await self.person()
        if person is None:
            return self.sign_in_first(PATH)
        return self.show(self.uses.pages.grants(await self.uses.keep_consents.of(person.sub), self.language))

    @operation("withdrawGrant", scope=None, status=303, body_limit=4 * KIB, problems=(CrossSite,))
    async def post(self, form: Withdrawal) -> Answer[File]:
        """Let an app do nothing more for the person at the browser: its refresh tokens end at once."""
        self.check_origin()
        person = await self.person()
        if person is None:
            return self.sign_in_first(PATH)
        await self.uses.keep_consents.withdraw(person.sub, form.client_id)
        return self.go(PATH)


ROUTES = (Route(PATH, GrantedApps),)
