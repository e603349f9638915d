"""What people do on the pages, by the words they see."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pyotp
from playwright.sync_api import FilePayload, Page, expect

from tests.support.browsing import Visitor
from tests.support.recordings import Session, a_run, fit, gpx, tcx

MARCH, APRIL, MAY = (datetime(2026, month, 14, 7, 30, tzinfo=UTC) for month in (3, 4, 5))


def three_files() -> list[FilePayload]:
    """A hilly half hour in each of three formats and months."""
    return [
        payload("march.gpx", gpx(a_run(1800, start=MARCH, every=5, climb=0.01))),
        payload("april.tcx", tcx([a_run(1800, start=APRIL, every=5, climb=0.02)])),
        payload("may.fit", fit(Session(a_run(1800, start=MAY, every=5, climb=0.03)))),
    ]


def payload(name: str, content: bytes) -> FilePayload:
    """A file as a browser's file dialog would give it."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def sign_in(visitor: Visitor, page: Page, password: str | None = None) -> None:
    """Fill in the form and send it."""
    form = page.get_by_role("form", name="Sign in")
    form.get_by_label("E-mail").fill(visitor.email)
    form.get_by_label("Password").fill(password or visitor.password)
    form.get_by_role("button", name="Sign in").click()


def signed_in(visitor: Visitor) -> Page:
    """The page of somebody who has just signed in."""
    page = visitor.open()
    sign_in(visitor, page)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def upload(page: Page, *files: FilePayload) -> None:
    """Choose files, send them, and wait until the last is told of and the lists show it."""
    page.get_by_label("FIT, GPX or TCX files").set_input_files(files)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#progress")).to_contain_text(f"of {len(files)} added")
    expect(page.locator("#upload")).not_to_have_attribute("aria-busy", "true")


def runs(page: Page) -> list[str]:
    """The rows of the list of runs, as text."""
    return page.get_by_role("table", name="Your runs").locator("tbody tr").all_inner_texts()


def code(secret: str, *, ahead: int = 0) -> str:
    """What an app shows, now or in so many half minutes."""
    return pyotp.TOTP(secret.replace(" ", "")).at(int(time.time()) + 30 * ahead)
