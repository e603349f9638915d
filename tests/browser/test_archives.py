"""An archive on the front page: sent like any file, followed until it is imported, with the reasons of what failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import expect

from tests.browser.steps import MARCH, payload, runs, signed_in
from tests.support import archives
from tests.support.browsing import Visitor
from tests.support.recordings import a_run, gpx

Runner = Callable[..., Visitor]


def many(count: int) -> dict[str, bytes]:
    """Runs of their own, an hour apart."""
    return {f"{n}.gpx": gpx(a_run(300, start=MARCH + timedelta(hours=n)), name=f"Run {n}") for n in range(count)}


def test_an_archive_is_imported_and_says_what_failed(runner: Runner) -> None:
    """Names of files are words, whatever is in them."""
    page = signed_in(runner())
    content = archives.zipped({**many(3), "<b>notes</b>.txt": b"milk"})
    page.get_by_label("FIT, GPX or TCX files").set_input_files([payload("all.zip", content)])
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#uploaded li")).to_contain_text("It is being imported")
    expect(page.locator("#import-says")).to_contain_text("The archive is imported: 3 added")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_text("1 files could not be read").click()
    expect(page.locator("#import-failed li")).to_have_text(re.compile("<b>notes</b>.txt: .*neither a FIT"))
    expect(page.get_by_role("table", name="Your runs").locator("tbody tr")).to_have_count(3)
    assert len(runs(page)) == 3


def test_an_import_is_there_again_when_one_comes_back_and_can_be_stopped(runner: Runner) -> None:
    """It goes on without the page."""
    page = signed_in(runner())
    page.get_by_label("FIT, GPX or TCX files").set_input_files([payload("all.ZIP", archives.zipped(many(300)))])
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#import-says")).to_contain_text(re.compile(r"[1-9]\d* of 300 files"))
    page.reload()
    expect(page.locator("#import-says")).to_contain_text("of 300 files")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#import-says")).to_contain_text("Stopped after")


def test_what_is_no_archive_says_so(runner: Runner) -> None:
    """And stops no other file."""
    visitor = runner()
    visitor.watch.expected = {422}
    page = signed_in(visitor)
    page.get_by_label("FIT, GPX or TCX files").set_input_files(
        [payload("all.zip", b"hello"), payload("run.gpx", gpx(a_run(300)))]
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#uploaded li").first).to_contain_text("This archive can't be imported: This is no ZIP archive")
    expect(page.locator("#progress")).to_contain_text("1 of 1 added")
