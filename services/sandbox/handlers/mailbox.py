"""The mailbox: read by programs as JSON, and by people as pages."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from services.chassis.answers import File, Items
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.sandbox.mailbox.letters import Letter
from services.sandbox.pages import LETTER_POLICY, POLICY, framed
from services.sandbox.usecases import UseCases

HTML = "text/html; charset=utf-8"


class Whose(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose mail."""

    to: Annotated[str | None, Meta(description="Only what was sent to this address")] = None


class Which(Whose, frozen=True, forbid_unknown_fields=True):
    """Which mail, and how much of it."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many at the most")] = 50


class Messages(Endpoint[UseCases]):
    """All mail."""

    @operation("listMail", scope=None)
    async def get(self, query: Which) -> Items[Letter]:
        """List mail, newest first."""
        return Items(await self.uses.mailbox.newest(query.limit, query.to or None))

    @operation("throwMailAway", scope=None)
    async def delete(self, query: Whose) -> None:
        """Throw all mail away, or all to one address."""
        await self.uses.mailbox.clear(query.to or None)


class OneMessage(Endpoint[UseCases]):
    """One mail."""

    @operation("readMail", scope=None)
    async def get(self, message_id: str) -> Letter:
        """Read one mail."""
        return await self.uses.mailbox.letter(message_id)

    @operation("throwOneMailAway", scope=None)
    async def delete(self, message_id: str) -> None:
        """Throw one mail away."""
        await self.uses.mailbox.remove(message_id)


class Html(Endpoint[UseCases]):
    """The HTML body of a mail, as the document of a frame that may do nothing."""

    @operation("readMailHtml", scope=None)
    async def get(self, message_id: str) -> File:
        """Show the HTML body of a mail."""
        html = await self.uses.mailbox.html(message_id)
        self.set_header("Content-Security-Policy", LETTER_POLICY)
        return File(framed(html), HTML)


class Attachment(Endpoint[UseCases]):
    """A file that came with a mail."""

    @operation("readMailAttachment", scope=None)
    async def get(self, message_id: str, place: str) -> File:
        """Save an attachment."""
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        return await self.uses.mailbox.attachment(message_id, place)


class MailboxPage(Endpoint[UseCases]):
    """The page that lists mail."""

    @operation("readMailboxPage", scope=None)
    async def get(self, query: Whose) -> File:
        """Show the newest mail."""
        to = (query.to or "").strip() or None
        self.set_header("Content-Security-Policy", POLICY)
        return File(self.uses.pages.mailbox(await self.uses.mailbox.newest(100, to), to), HTML)


class LetterPage(Endpoint[UseCases]):
    """The page of one mail."""

    @operation("readLetterPage", scope=None)
    async def get(self, message_id: str) -> File:
        """Show one mail."""
        self.set_header("Content-Security-Policy", POLICY)
        return File(self.uses.pages.letter(await self.uses.mailbox.letter(message_id)), HTML)


ROUTES = (
    Route("/", MailboxPage),
    Route("/mailbox", MailboxPage),
    Route("/mailbox/letters/{message_id}", LetterPage),
    Route("/mailbox/messages", Messages),
    Route("/mailbox/messages/{message_id}", OneMessage),
    Route("/mailbox/messages/{message_id}/html", Html),
    Route("/mailbox/messages/{message_id}/attachments/{place}", Attachment),
)
