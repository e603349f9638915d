"""Pages for the person at a browser: who that is, and how a page is sent so that no other page can use it."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import quote

from services.chassis.answers import Answer, Cookie, File
from services.chassis.auth import BadToken
from services.chassis.endpoint import Endpoint
from services.chassis.problems import Problem, headers_of
from services.tokendealer.domain.families import OWN_CLIENT
from services.tokendealer.pages import HTML, Page, nearest
from services.tokendealer.usecases import UseCases
from services.tokendealer.usecases.authorize import Person


class BrowserPage(Endpoint[UseCases]):
    """A page; what goes wrong is a page, too.

    Everybody may call it, signed in or not: it looks at the session's cookie itself, and sends whoever is not signed in to
    the front page, which sends them back.
    """

    error_document: ClassVar[tuple[str, type] | None] = ("text/html", str)
    known_by: ClassVar[Literal["session", "client"] | None] = "session"

    async def person(self) -> Person | None:
        """Who is signed in at this browser, on our own pages; None where nobody is, or their sign-in has ended."""
        cookie = self.get_cookie(self.serving.sessions.access_cookie)
        if cookie is None:
            return None
        try:
            caller = await self.serving.verifier.verify(cookie)
        except BadToken:
            return None
        if caller.client_id != OWN_CLIENT or caller.session is None:
            return None
        person = await self.uses.authorize.signed_in(caller.sub, caller.scopes, caller.session)
        if person is not None:
            self.trusted_caller = caller
        return person

    @property
    def language(self) -> str:
        """The language that is read at this browser, of those we have."""
        return nearest(self.request.headers.get("Accept-Language", ""))

    def show(self, page: Page) -> Answer[File]:
        """The page."""
        return Answer(File(page.content, HTML), headers=page.headers)

    def go(self, to: str, *cookies: Cookie) -> Answer[File]:
        """Send the browser elsewhere; by GET, whatever it did here (RFC 9700, 4.12)."""
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return Answer(File(b"", HTML), status=303, location=to, headers=headers, cookies=cookies)

    def sign_in_first(self, back_to: str) -> Answer[File]:
        """Send the browser to the front page, to sign in and come back.

        A cookie that does not do is taken away, or the front page would send the browser back at once.
        """
        return self.go(f"/#next={quote(back_to, safe='')}", Cookie(self.serving.sessions.access_cookie, "", 0))

    def present_problem(self, problem: Problem) -> tuple[int, dict[str, str], bytes]:
        """A problem as a page."""
        page = self.uses.pages.trouble(problem, self.language)
        return (
            self.status_for(type(problem)),
            {**headers_of(problem), **page.headers, "Content-Type": HTML},
            page.content,
        )

    @classmethod
    def status_for(cls, problem: type[Problem]) -> int:
        """What is wrong with an address or a form is a 400, as at the other OAuth endpoints."""
        status = super().status_for(problem)
        return 400 if status in {415, 422} else status
