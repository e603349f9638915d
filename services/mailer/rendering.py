"""From a template, its data and a locale to a subject, a text and an HTML body.

What a mail looks like is a Jinja2 template, what it says is in `words.<locale>.toml`: a translator touches one file,
and a look is written once for all languages. Values are escaped in HTML, and a missing word or value raises.
"""

from __future__ import annotations

import tomllib
from functools import partial
from importlib.resources import files
from string import Formatter
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup, escape
from msgspec import Struct

from services.mailer.domain.templates import TemplateData

LOCALES = ("en", "de", "fr")
FALLBACK = "en"
COMMON = "common"
TEMPLATE_ROOM = files("services.mailer") / "templates"
NOTICE = "notice"  # some sentences around one link: the form that all mails have so far
PAGES = {
    "activate": "activate?token={token}",
    "already-registered": "",
    "account-deleted": "",
    "password-reset": "reset-password?token={token}",
    "password-changed": "forgot-password",
    "confirm-email": "confirm-email?token={token}",
    "email-change-asked": "reset-password?token={token}",
    "email-changed": "reset-password?token={token}",
    "email-in-use": "forgot-password",
    "unlock": "unlock?token={token}",
    "export-ready": "api/v1/accounts/me/exports/{export_id}/archive",
}
OWN_ACCOUNT = "#account"  # where all the others lead: they tell of what happened to it

Words = dict[str, dict[str, str]]


class Rendered(Struct, frozen=True):
    """What a mail says, in one language."""

    locale: str
    subject: str
    text: str
    html: str


class Renderer:
    """All templates in all locales. `public_url` is where every link leads: no data can name another place."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._words = {locale: read_words(locale) for locale in LOCALES}
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("services.mailer"),
            autoescape=jinja2.select_autoescape(["html"], default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, data: TemplateData, locale: str) -> Rendered:
        """The mail in the nearest language we have."""
        language = nearest(locale)
        words = {**self._words[language][COMMON], **self._words[language][template]}
        values = {**msgspec.structs.asdict(data), "site": self._public_url, "link": self._link(template, data)}
        say, say_html = partial(_say, words, values), partial(_say_html, words, values)
        context: dict[str, Any] = {**values, "locale": language}
        return Rendered(
            language,
            subject=" ".join(say("subject").split()),
            text=self._templates.get_template(f"{NOTICE}.txt").render(context, say=say),
            html=self._templates.get_template(f"{NOTICE}.html").render(context, say=say_html),
        )

    def _link(self, template: str, data: TemplateData) -> str:
        """Where the mail leads; what templates let into it needs no quoting."""
        return f"{self._public_url}/{PAGES.get(template, OWN_ACCOUNT).format(**msgspec.structs.asdict(data))}"


def nearest(locale: str) -> str:
    """The locale that we have for one that was asked for (`de-CH` is read in `de`)."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LOCALES else FALLBACK


def read_words(locale: str) -> Words:
    """The words of one locale, by template."""
    return tomllib.loads((TEMPLATE_ROOM / f"words.{locale}.toml").read_text("utf-8"))


def _say(words: dict[str, str], values: dict[str, Any], name: str) -> str:
    return Formatter().vformat(words[name], (), values)


def _say_html(words: dict[str, str], values: dict[str, Any], name: str) -> Markup:
    return Markup(_say(words, {key: escape(value) for key, value in values.items()}, name))  # noqa: S704 - escaped  # nosec B704
