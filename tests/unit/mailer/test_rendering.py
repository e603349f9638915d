"""Mails as their readers get them: in their language, with one link to our own site, and nothing to be injected."""

from __future__ import annotations

from html.parser import HTMLParser
from string import Formatter

import pytest

from services.chassis.problems import Invalid
from services.mailer.domain.templates import TEMPLATES, check_data
from services.mailer.rendering import LOCALES, Renderer, nearest, read_words

TOKEN = "T0ken-_" * 6
DATA = {
    "activate": {"token": TOKEN, "hours": 48},
    "already-registered": {},
    "password-reset": {"token": TOKEN, "hours": 2},
    "second-factor-on": {},
    "second-factor-off": {},
    "recovery-codes-renewed": {},
    "second-factor-guessed": {},
    "recovery-code-used": {"left": 9},
    "new-device": {"device": "Firefox · Android", "at": "2026-05-01 14:03 (Europe/Berlin)"},
    "account-deleted": {"reference": "d" * 20, "services": "accounts, mailer"},
    "export-ready": {"export_id": "e" * 20, "days": 7},
    "password-changed": {},
    "confirm-email": {"token": TOKEN, "hours": 24},
    "email-change-asked": {"token": TOKEN, "hours": 72, "address": "lou@runnerly.test"},
    "email-changed": {"token": TOKEN, "hours": 72, "address": "lou@runnerly.test"},
    "email-in-use": {},
    "unlock": {"token": TOKEN, "hours": 24},
}
SITE = "https://run.test/app"


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes[tag] = dict(attrs)
        if tag == "a":
            self.links.append(str(dict(attrs)["href"]))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mail_is_whole_in_every_language(template: str, locale: str) -> None:
    mail = Renderer(SITE + "/").render(template, check_data(template, DATA[template]), locale)

    assert mail.locale == locale
    assert Page(mail.html).attributes["html"]["lang"] == locale
    assert mail.subject in mail.html
    for body in (mail.text, mail.html):
        assert "{" not in body.replace("{% ", "")
        assert "None" not in body
    assert set(Page(mail.html).links) == {link_of(mail.text), SITE}


def link_of(text: str) -> str:
    [link] = [line for line in text.splitlines() if line.startswith("http")]
    return link


def test_the_link_opens_the_page_that_takes_the_token() -> None:
    renderer = Renderer("http://127.0.0.1:8080")

    def link(template: str) -> str:
        return link_of(renderer.render(template, check_data(template, DATA[template]), "en").text)

    assert link("activate") == f"http://127.0.0.1:8080/activate?token={TOKEN}"
    assert link("password-reset") == f"http://127.0.0.1:8080/reset-password?token={TOKEN}"
    assert link("already-registered") == "http://127.0.0.1:8080/"
    assert link("second-factor-on") == "http://127.0.0.1:8080/#account"
    assert link("export-ready") == f"http://127.0.0.1:8080/api/v1/accounts/me/exports/{'e' * 20}/archive"
    assert link("confirm-email") == f"http://127.0.0.1:8080/confirm-email?token={TOKEN}"
    assert link("email-changed") == link("password-reset")
    assert link("password-changed") == "http://127.0.0.1:8080/forgot-password"
    assert link("unlock") == f"http://127.0.0.1:8080/unlock?token={TOKEN}"


def test_all_locales_say_the_same_things() -> None:
    def shape(locale: str) -> dict[str, dict[str, set[str | None]]]:
        return {
            section: {
                name: {field for _, field, _, _ in Formatter().parse(text)} - {None} for name, text in said.items()
            }
            for section, said in read_words(locale).items()
        }

    assert set(shape("en")) == {"common", *TEMPLATES}
    for locale in LOCALES:
        assert shape(locale) == shape("en")


@pytest.mark.parametrize(
    ("asked", "got"), [("de-CH", "de"), ("fr_CA", "fr"), ("EN", "en"), ("pt", "en"), ("", "en"), ("../x", "en")]
)
def test_the_nearest_language_is_taken(asked: str, got: str) -> None:
    assert nearest(asked) == got


def test_a_reader_without_html_sees_a_well_set_text() -> None:
    mail = Renderer(SITE).render("activate", check_data("activate", DATA["activate"]), "en")

    assert mail.text.startswith("Hello,\n\nAn account at Runnerly was opened")
    assert "\n\n\n" not in mail.text
    assert f"\n\nConfirm my address:\n{SITE}/activate?token={TOKEN}\n\n" in mail.text
    assert "48 hours" in mail.text


@pytest.mark.parametrize(
    ("template", "data"),
    [
        ("viagra", {}),
        ("activate", {}),
        ("activate", {"token": TOKEN, "hours": 0}),
        ("activate", {"token": "x" * 30 + "&next=http://evil.test", "hours": 1}),
        ("activate", {"token": TOKEN, "hours": 1, "link": "http://evil.test"}),
        ("already-registered", {"name": "Click http://evil.test"}),
    ],
)
def test_data_that_does_not_fit_its_template_is_refused(template: str, data: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        check_data(template, data)
