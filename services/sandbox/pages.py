"""The pages to read mail at. They work without scripts; with them, the list keeps itself fresh.

What a mail says is never part of our page: text is escaped, and its HTML is shown in a frame that may run nothing, load
nothing and reach nothing of ours.
"""

from __future__ import annotations

import re

import jinja2
from markupsafe import Markup, escape

from services.sandbox.mailbox.letters import Letter

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)
LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")


class Pages:
    """All pages of the sandbox."""

    def __init__(self) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("services.sandbox"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["linked"] = linked

    def mailbox(self, letters: list[Letter], to: str | None) -> bytes:
        """The list of letters."""
        return self._templates.get_template("mailbox.html").render(letters=letters, to=to or "").encode()

    def letter(self, letter: Letter) -> bytes:
        """One letter."""
        return self._templates.get_template("letter.html").render(letter=letter).encode()


def framed(html: str) -> bytes:
    """A letter's HTML as the document of its frame: links open in a window of their own."""
    return f'<!DOCTYPE html><base target="_blank">{html}'.encode(errors="replace")


def linked(text: str) -> Markup:
    """A letter's text, with its web addresses as links."""
    parts, end = [], 0
    for match in LINK.finditer(text):
        url = escape(match[0])
        parts += [escape(text[end : match.start()]), Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(url)]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
