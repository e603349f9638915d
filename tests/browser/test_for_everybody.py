"""Whoever looks, with whatever: a keyboard, a screen reader, a telephone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.steps import code, signed_in, three_files, upload
from tests.support.browsing import Visitor

Visit = Callable[..., Visitor]
Runner = Callable[..., Visitor]
PHONE = {"width": 320, "height": 640}  # WCAG 2.2, 1.4.10


def scenes(page: Page) -> dict[str, Callable[[], object]]:
    """What there is to see for somebody who has signed in, one after another."""
    return {
        "empty": lambda: expect(page.get_by_text("Nothing here yet")).to_be_visible(),
        "runs": lambda: upload(page, *three_files()),
        "run": lambda: [
            page.get_by_role("table", name="Your runs").get_by_role("link").first.click(),
            expect(page.get_by_role("table", name="Splits")).to_be_visible(),
        ],
        "account": lambda: [
            page.get_by_role("link", name="Account").click(),
            expect(page.get_by_role("heading", name="Your account")).to_be_focused(),
        ],
        "second factor": lambda: [
            page.get_by_role("button", name="Turn it on").click(),
            expect(page.get_by_label("The six digits")).to_be_focused(),
        ],
        "recovery codes": lambda: [
            page.get_by_label("The six digits").fill(code(page.locator("#secret").inner_text())),
            page.keyboard.press("Enter"),
            expect(page.get_by_role("heading", name="Your recovery codes")).to_be_focused(),
        ],
    }


def check_with_axe(page: Page, what: str) -> None:
    """No violation that shuts somebody out, or nearly."""
    # The only frame there is, a mail's body in the mailbox, is sealed off: axe cannot speak with it.
    found = Axe().run(page, options={"resultTypes": ["violations"], "iframes": False}).response["violations"]
    grave = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
    told = [(violation["id"], [node["html"][:200] for node in violation["nodes"]][:3]) for violation in grave]
    assert told == [], what


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(runner: Runner, scheme: str) -> None:
    visitor = runner(color_scheme=scheme)
    visitor.watch.expected = {401}
    page = visitor.open()
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    check_with_axe(page, "door")
    form = page.get_by_role("form", name="Sign in")
    form.get_by_label("E-mail").fill(visitor.email)
    form.get_by_label("Password").fill("not the pass phrase")
    form.get_by_role("button").click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    check_with_axe(page, "door with a refusal")
    for path, what in (("/forgot-password", "forgotten"), ("/reset-password?token=some", "reset")):
        page.goto(visitor.home + path)
        expect(page.get_by_role("textbox")).to_be_visible()
        check_with_axe(page, what)
    page = signed_in(visitor)
    for what, look in scenes(page).items():
        look()
        check_with_axe(page, what)


def test_axe_finds_no_serious_violation_in_the_mailbox(runner: Runner) -> None:
    visitor = runner()
    page = visitor.context.new_page()
    page.goto(f"{visitor.mailbox}?to={visitor.email}")
    check_with_axe(page, "mailbox")
    page.locator("#letters a").first.click()
    page.wait_for_url("**/mailbox/letters/*")
    expect(page.locator("iframe")).to_be_visible()
    check_with_axe(page, "mail")


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_narrow_screen_is_never_scrolled_sideways(runner: Runner, locale: str) -> None:
    visitor = runner(viewport=PHONE, locale="en-GB", has_touch=True, is_mobile=True)
    strangers = visitor.open()
    expect(strangers.get_by_role("form", name="Sign in")).to_be_visible()
    fits(strangers, "door")
    page = signed_in(visitor)
    for what, look in scenes(page).items():
        look()
        fits(page, what)
    page.add_init_script(f"Object.defineProperty(navigator, 'languages', {{get: () => ['{locale}']}})")
    run = page.locator("#runs a").first.get_attribute("href")
    for address in ("/", f"/{run}", "/#account"):
        page.goto(visitor.home + address)
        page.wait_for_load_state("networkidle")
        fits(page, f"{address} in {locale}")


def fits(page: Page, what: str) -> None:
    """Nothing reaches out of the window, and no text is cut."""
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert size[0] <= size[1], what


def test_everything_can_be_done_with_a_keyboard(runner: Runner) -> None:
    visitor = runner()
    page = visitor.open()
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    press_until(page, "Tab", page.get_by_label("E-mail").first)
    page.keyboard.type(visitor.email)
    page.keyboard.press("Tab")
    page.keyboard.type(visitor.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    files = page.get_by_label("FIT, GPX or TCX files")
    press_until(page, "Tab", files)
    files.set_input_files(three_files())  # the dialog is the browser's own
    press_until(page, "Tab", page.get_by_role("button", name="Upload"))
    page.keyboard.press("Space")
    expect(page.locator("#progress")).to_have_text("3 of 3 added")
    expect(page.locator("#upload")).not_to_have_attribute("aria-busy", "true")  # the list is what it will be

    link = page.get_by_role("table", name="Your runs").get_by_role("link").nth(1)
    press_until(page, "Tab", link)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Run", exact=False).nth(0)).to_be_attached()
    expect(page.locator("#run-title")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Back to all runs")).to_be_focused()
    page.keyboard.press("Enter")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#run-title")).to_be_focused()
    page.on("dialog", lambda dialog: dialog.accept())
    press_until(page, "Tab", page.get_by_role("button", name="Delete this run"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("The run is deleted")).to_be_visible()
    press_until(page, "Shift+Tab", page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("form", name="Sign in").get_by_label("E-mail")).to_be_focused()


def press_until(page: Page, key: str, wanted: object) -> None:
    """Press a key until what is wanted has the focus; fails after a page full of it."""
    for _ in range(40):
        page.keyboard.press(key)
        if wanted.evaluate("(element) => element === document.activeElement"):  # type: ignore[attr-defined]
            return
    pytest.fail(f"{wanted} is not reached with {key}")


def test_the_focus_is_always_seen(visit: Visit) -> None:
    page = visit().open()
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    for _ in range(9):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
