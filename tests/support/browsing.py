"""A person at a browser, and everything that must not happen while they look: errors, broken policies, other hosts."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.missing import missing

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Chromium reports each answer of 400 and over on the console; those that a test asks for are no trouble.
FAILED_LOAD = re.compile(r"Failed to load resource: the server responded with a status of (\d{3})")
TELL_VIOLATIONS = (
    "document.addEventListener('securitypolicyviolation', "
    "(e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`))"
)
NEVER_S = 30.0
expect.set_options(timeout=NEVER_S * 1000)


@dataclass
class Watch:
    """What went wrong in a browser's pages. `expected` are the statuses that a test provokes."""

    ports: set[int]
    expected: set[int] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)

    def follow(self, context: BrowserContext) -> None:
        """Listen to every page of a context."""
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.seen.append(f"uncaught: {error.error}"))
        context.on("request", self._look_at)

    def _hear(self, message: ConsoleMessage) -> None:
        failed = FAILED_LOAD.match(message.text)
        if message.type in {"error", "warning"} and not (failed and int(failed[1]) in self.expected):
            self.seen.append(f"console: {message.text} ({message.location['url']})")

    def _look_at(self, request: Request) -> None:
        url = urlsplit(request.url)
        inside = url.hostname == "127.0.0.1" and url.port in self.ports
        if url.scheme not in {"data", "blob", "about"} and not inside:
            self.seen.append(f"request to another host: {request.url}")


@contextlib.contextmanager
def chromium(config: pytest.Config) -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        missing(config, "Chromium: apt-get install chromium (tests in a browser)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """One person with a browser of their own: its cookies, language, clock and screen."""

    context: BrowserContext
    watch: Watch
    home: str
    mailbox: str
    email: str
    password: str = "a long enough pass phrase 42"

    def open(self, path: str = "/") -> Page:
        """A new page at a path of Runnerly."""
        page = self.context.new_page()
        page.goto(f"{self.home}{path}")
        return page


@contextlib.contextmanager
def visiting(browser: Browser, ports: dict[str, int], email: str, **how: object) -> Iterator[Visitor]:
    """A visitor; fails at the end for whatever went wrong in one of their pages."""
    context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Berlin", **how})  # type: ignore[arg-type]
    context.set_default_timeout(NEVER_S * 1000)
    watch = Watch(set(ports.values()))
    watch.follow(context)
    try:
        yield Visitor(
            context, watch, f"http://127.0.0.1:{ports['door']}", f"http://127.0.0.1:{ports['sandbox']}/mailbox", email
        )
    finally:
        context.close()
    assert not watch.seen, "\n".join(watch.seen)
