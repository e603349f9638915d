"""The front page, as somebody meets it who has never seen Runnerly."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import MARCH, payload, runs, sign_in, signed_in, three_files, upload
from tests.support.browsing import Visitor
from tests.support.recordings import a_run, gpx

Visit = Callable[..., Visitor]
Runner = Callable[..., Visitor]


def test_a_stranger_becomes_a_runner_and_leaves_again(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    register = page.get_by_role("form", name="Create an account")
    register.get_by_label("Name").fill("Rosa Läufer")
    register.get_by_label("E-mail").fill(visitor.email)
    register.get_by_label("Password").fill(visitor.password)
    register.get_by_role("button", name="Create an account").click()
    expect(page.get_by_role("status").filter(has_text=visitor.email)).to_be_visible()

    page = activated_by_mail(visitor)
    expect(page.get_by_role("status").filter(has_text="Your account is active")).to_be_visible()
    assert "token" not in page.url
    expect(page.get_by_label("E-mail").first).to_have_value(visitor.email)
    expect(page.get_by_role("form", name="Sign in").get_by_label("Password")).to_be_focused()
    page.keyboard.type(visitor.password)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Rosa Läufer")).to_be_visible()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()

    files = three_files()
    upload(page, *files)
    expect(page.locator("#progress")).to_have_text("3 of 3 added")
    assert [row.split("\t")[0] for row in months(page)] == ["May 2026", "April 2026", "March 2026"]
    assert all(re.search(r"5\.(39|40) km\s+30:00", row) for row in [*runs(page), *months(page)])
    expect(page.get_by_text("Nothing here yet")).to_be_hidden()

    page.get_by_role("table", name="Your runs").get_by_role("link").first.click()
    expect(page.get_by_role("img", name=re.compile("^Altitude: 100 m to 262 m"))).to_be_visible()
    splits = page.get_by_role("table", name="Splits").locator("tbody tr")
    expect(splits).to_have_count(6)
    assert all("5:33 /km" in row for row in splits.all_inner_texts())
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download the original file").click()
    assert downloading.value.suggested_filename == "may.fit"
    assert Path(downloading.value.path()).read_bytes() == files[2]["buffer"]

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this run").click()
    expect(page.get_by_role("status").filter(has_text="The run is deleted")).to_be_visible()
    expect(page.get_by_role("heading", name="Your runs")).to_be_focused()
    for table in ("Your runs", "By month"):
        expect(page.get_by_role("table", name=table).locator("tbody tr")).to_have_count(2)

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out")).to_be_visible()
    assert {cookie["name"] for cookie in visitor.context.cookies()} == set()
    page.reload()
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Rosa Läufer")).to_be_hidden()


def activated_by_mail(visitor: Visitor) -> Page:
    """The page that the link in the newest mail leads to."""
    mail = visitor.context.new_page()
    mail.goto(f"{visitor.mailbox}?to={visitor.email}")
    mail.locator("#letters a").first.click()
    mail.wait_for_url("**/mailbox/letters/**")  # with its frame: what is above the link grows while that loads
    link = mail.locator("pre a", has_text="/activate?token=")
    # Chromium without a screen looks for what is under the mouse in last frame's layout: let it draw one after it scrolled.
    link.scroll_into_view_if_needed()
    mail.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    link.click()
    mail.wait_for_url(f"{visitor.home}/**")
    return mail


def months(page: Page) -> list[str]:
    return page.get_by_role("table", name="By month").locator("tbody tr").all_inner_texts()


def test_the_button_in_the_mail_leads_to_the_same_page(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    register = page.get_by_role("form", name="Create an account")
    for label, words in (("Name", "Kim"), ("E-mail", visitor.email), ("Password", visitor.password)):
        register.get_by_label(label).fill(words)
    register.get_by_role("button").click()
    expect(page.get_by_role("status").filter(has_text=visitor.email)).to_be_visible()
    page.goto(f"{visitor.mailbox}?to={visitor.email}")
    page.locator("#letters a").first.click()
    with visitor.context.expect_page() as opened:
        page.frame_locator("iframe").get_by_role("link", name="Confirm my address").click()
    expect(opened.value.get_by_text("Your account is active")).to_be_visible()

    visitor.watch.expected = {410}
    again = visitor.context.new_page()
    with again.expect_response(re.compile("accounts/activation")):
        again.goto(
            page.frame_locator("iframe").get_by_role("link", name="Confirm my address").get_attribute("href") or ""
        )
    expect(again.get_by_role("alert")).to_contain_text("used already or has expired")


def test_a_wrong_password_is_told_in_plain_words(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {401}
    page = visitor.open()
    sign_in(visitor, page, "not the pass phrase")
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")
    expect(page.get_by_role("form", name="Sign in").get_by_label("Password")).to_be_focused()
    assert visitor.context.cookies() == []
    sign_in(visitor, page)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_empty()


def test_who_has_not_followed_the_link_yet_is_told_and_can_have_another(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    register = page.get_by_role("form", name="Create an account")
    for label, words in (("Name", "Kim"), ("E-mail", visitor.email), ("Password", visitor.password)):
        register.get_by_label(label).fill(words)
    register.get_by_role("button").click()
    expect(page.get_by_role("status").filter(has_text=visitor.email)).to_be_visible()
    sign_in(visitor, page)
    expect(page.get_by_role("alert")).to_contain_text("not active yet")
    page.get_by_role("button", name="Send the mail again").click()
    expect(page.get_by_role("status").filter(has_text="Look into your mail")).to_be_visible()
    assert visitor.context.cookies() == []


def test_a_field_that_is_wrong_is_marked_and_gets_the_focus(visit: Visit) -> None:
    visitor = visit()
    visitor.watch.expected = {422}
    page = visitor.open()
    register = page.get_by_role("form", name="Create an account")
    for label, words in (("Name", "Kim"), ("E-mail", "kim@localhost"), ("Password", visitor.password)):
        register.get_by_label(label).fill(words)
    register.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("no e-mail address")
    expect(register.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    expect(register.get_by_label("E-mail")).to_be_focused()
    expect(register.get_by_label("Name")).to_have_value("Kim")


def test_an_upload_that_is_refused_says_why_and_stops_no_other(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {409, 422}
    page = signed_in(visitor)
    run = payload("run.gpx", gpx(a_run(900, start=MARCH, every=5)))
    other = payload("other.gpx", gpx(a_run(900, start=MARCH + timedelta(days=1), every=5)))
    upload(page, run)
    upload(page, run, payload("noise.fit", random.Random(7).randbytes(5000)), other)
    expect(page.locator("#progress")).to_have_text("1 of 3 added")
    told = page.locator("#uploaded li")
    expect(told.nth(0)).to_contain_text("run.gpx: You have this run already.")
    expect(told.nth(1)).to_contain_text("noise.fit: No run could be read from this file:")
    expect(told.nth(2).get_by_role("link")).to_be_visible()
    assert len(runs(page)) == 2
    told.nth(0).get_by_role("link", name="See it").click()
    expect(page.get_by_role("heading", name="Morning run")).to_be_visible()


def test_markup_in_a_title_and_in_a_files_name_is_shown_as_words(runner: Runner) -> None:
    """The visitor's watch fails at the end for whatever else a page would have made of it."""
    title = 'Run <img src="/nowhere" onerror="alert(1)"> & <b>rest</b>'
    page = signed_in(runner())
    content = gpx(a_run(900, start=MARCH, every=5), name=escape(title + "\u202e"))
    upload(page, payload("<i>run</i>.gpx", content))
    expect(page.locator("#uploaded li")).to_contain_text("<i>run</i>.gpx")
    assert title in runs(page)[0]
    assert "\u202e" not in runs(page)[0]
    page.get_by_role("table", name="Your runs").get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("main b, main i, img[src='/nowhere']")).to_have_count(0)


def test_a_file_that_is_too_large_is_not_even_sent(runner: Runner, tmp_path: Path) -> None:
    visitor = runner()
    page = signed_in(visitor)
    large = tmp_path / "large.fit"
    with large.open("wb") as file:
        file.truncate(65 * 1024**2)
    page.get_by_label("FIT, GPX or TCX files").set_input_files(large)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#uploaded li")).to_contain_text("too large: 64 MB")


def test_a_long_list_is_read_further(runner: Runner, it_has_runs: Callable[[Visitor, int], None]) -> None:
    visitor = runner()
    it_has_runs(visitor, 25)
    page = signed_in(visitor)
    expect(page.get_by_role("table", name="Your runs").locator("tbody tr")).to_have_count(20)
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("table", name="Your runs").locator("tbody tr")).to_have_count(25)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_run_is_told_by_the_clocks_where_it_was_run(runner: Runner, zone: str) -> None:
    """Half past seven in UTC on 1 March is half past eight in Paris, and March, wherever the reader sits."""
    visitor = runner(timezone_id=zone)
    page = signed_in(visitor)
    upload(page, payload("run.gpx", gpx(a_run(600, start=MARCH.replace(day=1), every=5))))
    assert months(page)[0].startswith("March 2026")
    assert "1 Mar 2026, 08:30" in runs(page)[0]


def test_miles_for_who_wants_miles(runner: Runner) -> None:
    visitor = runner()
    page = signed_in(visitor)
    changed = page.evaluate(
        "() => fetch('/api/v1/accounts/me', {method: 'PATCH', headers: {'Content-Type': 'application/json'},"
        " body: JSON.stringify({units: 'imperial'})}).then((answer) => answer.status)"
    )
    assert changed == 200
    page.reload()
    upload(page, three_files()[0])
    assert "3.35 mi" in runs(page)[0]
    page.get_by_role("table", name="Your runs").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="mi")).to_be_visible()
    expect(page.get_by_role("table", name="Splits")).to_contain_text("8:57 /mi")


@pytest.mark.parametrize(
    ("locale", "welcome", "sign_in_words"),
    [
        ("de-DE", "Deine Läufe an einem Ort", "Anmelden"),
        ("fr-CA", "Vos courses au même endroit", "Se connecter"),
        ("es-ES", "Your runs, in one place", "Sign in"),
    ],
)
def test_the_page_speaks_the_browsers_language(visit: Visit, locale: str, welcome: str, sign_in_words: str) -> None:
    page = visit(locale=locale).open()
    expect(page.get_by_role("heading", name=welcome)).to_be_visible()
    expect(page.get_by_role("button", name=sign_in_words)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", locale[:2] if locale[:2] in {"de", "fr"} else "en")


def test_a_german_reads_everything_in_german(runner: Runner) -> None:
    visitor = runner(locale="de-DE")
    visitor.watch.expected = {401, 409}
    page = visitor.open()
    form = page.get_by_role("form", name="Anmelden")
    form.get_by_label("E-Mail").fill(visitor.email)
    for password in ("falsch geraten", visitor.password):
        form.get_by_label("Passwort").fill(password)
        form.get_by_role("button").click()
        if password != visitor.password:
            expect(page.get_by_role("alert")).to_have_text("Die E-Mail-Adresse oder das Passwort ist falsch.")
    for told in ("1 von 1 hinzugefügt", "0 von 1 hinzugefügt"):
        page.get_by_label("FIT-, GPX- oder TCX-Dateien").set_input_files(three_files()[:1])
        page.get_by_role("button", name="Hochladen").click()
        expect(page.locator("#progress")).to_have_text(told)
    expect(page.locator("#uploaded")).to_contain_text("Du hast diesen Lauf schon.")
    expect(page.get_by_role("table", name="Deine Läufe")).to_contain_text("5,39 km")
    expect(page.get_by_role("table", name="Nach Monaten")).to_contain_text("März 2026")


def test_every_text_is_there_in_every_language(visit: Visit) -> None:
    page = visit().open()
    gaps = page.evaluate(
        """async () => {
            const {all} = await import("/assets/texts.js");
            const keys = new Set(Object.values(all).flatMap(Object.keys));
            const asked = [...document.querySelectorAll("[data-text]")].map((spoken) => spoken.dataset.text);
            const filled = (words) => (words?.match(/\\{\\w+\\}/g) ?? []).sort().join();
            return Object.entries(all).flatMap(([language, texts]) => [...new Set([...keys, ...asked])]
                .filter((key) => !texts[key] || filled(texts[key]) !== filled(all.en[key]))
                .map((key) => `${language}.${key}`));
        }"""
    )
    assert gaps == []


def test_a_server_that_is_away_is_told_and_tried_again(runner: Runner) -> None:
    visitor = runner()
    page = signed_in(visitor)
    upload(page, three_files()[0])
    page.route("**/api/v1/activities/**", lambda route: route.abort())
    page.get_by_role("table", name="Your runs").get_by_role("link").click()
    expect(page.get_by_role("alert")).to_contain_text("can't be reached right now")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Morning run")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_empty()
    visitor.watch.seen = [line for line in visitor.watch.seen if "ERR_FAILED" not in line]


def test_a_run_that_is_not_there_leads_back_to_the_list(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {404}
    signed_in(visitor)
    page = visitor.open("/#run/nothing-here")
    expect(page.get_by_role("alert")).to_contain_text("There is no such run")
    expect(page.get_by_role("heading", name="Add runs")).to_be_visible()
