"""Where the links in our mails lead, besides the one that activates an account."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.steps import sign_in, signed_in
from tests.support.api import Api, Mailbox, Person
from tests.support.browsing import Visitor
from tests.support.processes import wait_until
from tests.support.running import Running

Runner = Callable[..., Visitor]
NEW = "an entirely new pass phrase"


def mailed(it: Running, to: str, page: str) -> str:
    """The path of the link to a page, in the first mail that has one, once that has arrived."""
    found: list[str] = []

    def is_there() -> bool:
        texts = (mail["text"] for mail in Mailbox(it.sandbox_port).messages(to))
        found[:] = [link[0] for text in texts if (link := re.search(rf"/{page}\?token=[\w-]+", text))]
        return bool(found)

    wait_until(is_there, within_s=60, what=f"a mail that leads to /{page}")
    return found[0]


def test_who_forgot_the_password_chooses_another_by_mail(runner: Runner, it: Running) -> None:
    visitor = runner()
    elsewhere = signed_in(visitor)
    page = visitor.open("/forgot-password")
    expect(page.locator("#forgot-form input")).to_be_focused()
    page.keyboard.type(visitor.email)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text=visitor.email)).to_be_visible()

    page = visitor.open(mailed(it, visitor.email, "reset-password"))
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    assert page.url == f"{visitor.home}/reset-password"
    expect(page.get_by_role("textbox")).to_be_focused()
    page.keyboard.type(NEW)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your new password is set")).to_be_visible()
    assert page.url == f"{visitor.home}/"
    expect(elsewhere.get_by_role("form", name="Sign in")).to_be_visible()  # its session is over
    sign_in(visitor, page, NEW)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "heading", "gone"),
    [
        ("en-GB", "Choose a new password", "Have another one mailed to you"),
        ("de-AT", "Wähle ein neues Passwort", "Lass dir einen neuen schicken"),
        ("fr-CA", "Choisissez un nouveau mot de passe", "Faites-vous en envoyer un autre"),
    ],
)
def test_a_link_that_is_used_up_leads_to_the_next_one(visit: Runner, locale: str, heading: str, gone: str) -> None:
    visitor = visit(locale=locale)
    visitor.watch.expected = {410}
    page = visitor.open("/reset-password?token=used")
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_role("textbox")).to_be_focused()
    page.keyboard.type(NEW)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text=gone)).to_be_visible()
    expect(page.locator("#forgot-form input")).to_be_focused()
    assert page.url == f"{visitor.home}/forgot-password"


def test_a_link_cut_short_offers_another_one(visit: Runner) -> None:
    page = visit().open("/reset-password")
    expect(page.get_by_role("heading", name="Forgot your password?")).to_be_visible()


def test_a_new_address_is_confirmed_by_its_link(runner: Runner, it: Running) -> None:
    visitor = runner()
    person = Person(Api(it.port), visitor.email)
    person.sign_in()
    new = f"new-{visitor.email}"
    asked = person.api.post("accounts/me/email", {"email": new, "password": visitor.password})
    assert asked.status == 202

    page = visitor.open(mailed(it, new, "confirm-email"))

    expect(page.get_by_role("status").filter(has_text=f"{new} is the address of your account now")).to_be_visible()
    assert page.url == f"{visitor.home}/"
    expect(page.get_by_role("form", name="Sign in").get_by_label("Password")).to_be_focused()
    page.keyboard.type(visitor.password)  # the address is filled in
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_who_was_locked_out_gets_in_by_the_link(runner: Runner, it: Running) -> None:
    visitor = runner(locale="de-DE")
    for number in range(10):
        Api(it.port).post("sessions", {"email": visitor.email, "password": f"wrong {number}"})

    page = visitor.open(mailed(it, visitor.email, "unlock"))

    expect(page.get_by_role("status").filter(has_text="Dein Konto ist entsperrt")).to_be_visible()
    form = page.get_by_role("form", name="Anmelden")
    form.get_by_label("E-Mail").fill(visitor.email)
    form.get_by_label("Passwort").fill(visitor.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Abmelden")).to_be_visible()
