"""The pages that the tokendealer shows to people: plain HTML, no script, in the languages we have.

What a page looks like is a Jinja2 template, what it says is in `words.<locale>.toml`. Values are escaped, and a missing
word or value raises. The policy lets nothing in but our own style, by its digest, and no other page put ours in a frame.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from string import Formatter
from typing import Any

import jinja2
from markupsafe import Markup, escape
from msgspec import Struct

from services.chassis.problems import Problem
from services.tokendealer.domain.authorizations import Asking, LetIn
from services.tokendealer.domain.families import Lifetimes
from services.tokendealer.domain.redirects import place_of

HTML = "text/html; charset=utf-8"
LOCALES = ("en", "de", "fr")
FALLBACK = "en"
TEMPLATE_ROOM = files("services.tokendealer") / "templates"
DATE = {"en": "%Y-%m-%d", "de": "%d.%m.%Y", "fr": "%d/%m/%Y"}

Words = Mapping[str, str]


class Page(Struct, frozen=True):
    """A page, and the headers that keep it to itself."""

    content: bytes
    headers: dict[str, str]


class Pages:
    """All of them."""

    def __init__(self, words: Mapping[str, Words], style: str, lifetimes: Lifetimes) -> None:
        self._words = words
        self._lifetimes = lifetimes
        self._style = style
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("services.tokendealer"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @classmethod
    def read(cls, lifetimes: Lifetimes) -> Pages:
        """All of them, with their words and their style."""
        style = (TEMPLATE_ROOM / "page.css").read_text("utf-8")
        return cls({locale: read_words(locale) for locale in LOCALES}, style, lifetimes)

    def consent(self, asking: Asking, question: str, language: str) -> Page:
        """Whether an app may act for the person.

        Its policy says nothing of where forms go: Chromium holds every redirect after one against that, and an app may
        send the browser on to wherever it likes. What the form carries is sealed, and good for nothing elsewhere.
        """
        request = asking.request
        return self._page(
            "consent",
            language,
            forms_to=None,
            app=asking.client.name,
            to=place_of(request.redirect_uri),
            idle=self._lifetimes.idle.days,
            longest=self._lifetimes.longest.days,
            fresh=[scope for scope in request.scopes if scope not in asking.known],
            known=[scope for scope in request.scopes if scope in asking.known],
            question=question,
        )

    def grants(self, found: Sequence[LetIn], language: str) -> Page:
        """The apps that the person let in."""
        return self._page("grants", language, forms_to="'self'", found=found, day=DATE[language])

    def trouble(self, problem: Problem, language: str) -> Page:
        """What is wrong."""
        words = self._words[language]
        kind = problem.kind if f"trouble-{problem.kind}" in words else "other"
        return self._page("trouble", language, forms_to="'none'", kind=kind, detail=problem.detail)

    def _page(self, name: str, language: str, *, forms_to: str | None, **values: Any) -> Page:
        words = self._words[language]
        content = self._templates.get_template(f"{name}.html").render(
            values,
            language=language,
            say=partial(_say, words),
            style=Markup(self._style),  # noqa: S704 - our own file  # nosec B704
        )
        headers = {
            "Content-Security-Policy": self._policy + (f"; form-action {forms_to}" if forms_to else ""),
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
            "Content-Language": language,
        }
        return Page(content.encode(), headers)


def nearest(accept_language: str) -> str:
    """The first language of an Accept-Language header that we have, by the reader's preference (RFC 9110, 12.5.4)."""
    wanted = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, weight = part.partition(";")
        quality = weight.strip().removeprefix("q=") if weight else "1"
        try:
            wanted.append((-float(quality), place, tag.strip().partition("-")[0].lower()))
        except ValueError:
            continue
    return next((tag for weight, _, tag in sorted(wanted) if tag in LOCALES and weight < 0), FALLBACK)


def read_words(locale: str) -> Words:
    """The words of one locale."""
    return tomllib.loads((TEMPLATE_ROOM / f"words.{locale}.toml").read_text("utf-8"))


def _say(words: Words, name: str, **values: object) -> Markup:
    escaped = {key: escape(value) for key, value in values.items()}
    return Markup(Formatter().vformat(words[name], (), escaped))  # noqa: S704 - escaped  # nosec B704
