"""Staying signed in, in one tab and in several; and what scripts can't see of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from playwright.sync_api import Error, Page, Request, expect

from tests.browser.steps import sign_in, signed_in, three_files, upload
from tests.support.browsing import Visitor

Runner = Callable[..., Visitor]
RAN_OUT = "localStorage.setItem('runnerly.signed-in-until', '1')"


def renewals(visitor: Visitor) -> list[Request]:
    """The renewals of the session, as they will happen."""
    seen: list[Request] = []
    visitor.context.on("request", lambda request: seen.append(request) if "sessions/refresh" in request.url else None)
    return seen


def signed_in_still(page: Page) -> None:
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_role("form", name="Sign in")).to_be_hidden()


def test_scripts_can_read_no_token(runner: Runner) -> None:
    visitor = runner()
    page = signed_in(visitor)
    cookies = visitor.context.cookies()
    assert len(cookies) == 2
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in cookies)
    assert page.evaluate("document.cookie") == ""
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert not any(cookie["value"] in kept for cookie in cookies)


def test_a_session_is_renewed_before_its_cookie_runs_out(runner: Runner) -> None:
    visitor = runner()
    page = signed_in(visitor)
    seen, before = renewals(visitor), visitor.context.cookies()
    page.evaluate(RAN_OUT)
    page.reload()
    signed_in_still(page)
    assert len(seen) == 1
    assert {cookie["value"] for cookie in before}.isdisjoint(cookie["value"] for cookie in visitor.context.cookies())


def test_a_session_is_renewed_when_the_cookie_is_gone_unexpectedly(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {401}
    page = signed_in(visitor)
    seen = renewals(visitor)
    visitor.context.clear_cookies(name="runnerly_access")
    upload(page, *three_files())
    signed_in_still(page)
    assert len(seen) == 1


def eventually_new(tab: Page) -> None:
    """Wait until a tab was loaded anew: `wait_for_function` evaluates text in the page, which our policy forbids."""
    for _ in range(600):
        with contextlib.suppress(Error):  # asked while it was between two pages
            if not tab.evaluate("window.old === true"):
                return
        tab.wait_for_timeout(50)
    raise AssertionError("the tab was not loaded anew")


def test_tabs_that_wake_together_take_turns_to_renew(runner: Runner) -> None:
    """A refresh token that comes twice ends the session, so tabs must not race for it.

    What one tab has written down reaches another a little later, so two may renew; but never with the same token.
    """
    visitor = runner()
    first = signed_in(visitor)
    tabs = [first, *(visitor.open() for _ in range(3))]
    for tab in tabs:
        signed_in_still(tab)
    seen = renewals(visitor)
    first.evaluate(RAN_OUT)
    for tab in tabs:
        tab.evaluate("window.old = true; setTimeout(() => location.reload(), 50)")
    for tab in tabs:
        eventually_new(tab)
        signed_in_still(tab)
    assert 1 <= len(seen) <= len(tabs)
    for request in seen:
        answer = request.response()
        assert answer is not None
        assert answer.status == 200


def test_signing_out_and_in_reaches_every_tab(runner: Runner) -> None:
    visitor = runner()
    here = signed_in(visitor)
    there = visitor.open()
    signed_in_still(there)
    here.get_by_role("button", name="Sign out").click()
    expect(there.get_by_role("form", name="Sign in")).to_be_visible()
    expect(there.get_by_text("Rosa Läufer")).to_be_hidden()
    sign_in(visitor, here)
    signed_in_still(there)


def test_a_session_that_was_ended_elsewhere_asks_to_sign_in_and_goes_on_where_it_was(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {401}
    page = signed_in(visitor)
    upload(page, three_files()[0])
    page.get_by_role("table", name="Your runs").get_by_role("link").click()
    title = page.get_by_role("heading", name="Morning run")
    expect(title).to_be_visible()
    visitor.context.clear_cookies()
    page.reload()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    expect(title).to_be_hidden()
    sign_in(visitor, page)
    expect(title).to_be_visible()


def test_the_back_button_shows_nothing_after_signing_out(runner: Runner) -> None:
    visitor = runner()
    page = signed_in(visitor)
    upload(page, three_files()[0])
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    page.goto(f"{visitor.home}/api/docs")
    page.go_back()
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    assert "5.40 km" not in page.content()
