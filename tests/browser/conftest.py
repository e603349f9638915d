"""A running Runnerly, and people who visit it with Chromium."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser

from tests.support.api import Api, Mailbox, Person, register
from tests.support.browsing import Visitor, chromium, visiting
from tests.support.recordings import a_run, gpx
from tests.support.running import How, Running, running

Visit = Callable[..., Visitor]
FIRST = datetime(2025, 11, 1, 7, tzinfo=UTC)


@pytest.fixture(scope="session")
def it(pytestconfig: pytest.Config) -> Iterator[Running]:
    """A running Runnerly that all visitors share."""
    with running(pytestconfig, How.RUN) as started:
        yield started


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """One Chromium a module: Playwright holds this thread's event loop, which other suites' tests want for themselves."""
    with chromium(pytestconfig) as launched:
        yield launched


@pytest.fixture
def visit(browser: Browser, it: Running) -> Iterator[Visit]:
    """How to become a visitor. Its arguments are the browser's own: `locale`, `timezone_id`, `viewport`, ..."""
    with contextlib.ExitStack() as leaving:

        def visitor(**how: object) -> Visitor:
            ports = {"door": it.port, "sandbox": it.sandbox_port}
            email = f"visitor-{secrets.token_hex(6)}@example.com"
            return leaving.enter_context(visiting(browser, ports, email, **how))

        yield visitor


@pytest.fixture
def runner(visit: Visit, it: Running) -> Callable[..., Visitor]:
    """How to become a visitor who has an account."""

    def with_account(**how: object) -> Visitor:
        visitor = visit(**how)
        register(it.port, Mailbox(it.sandbox_port), visitor.email)
        return visitor

    return with_account


@pytest.fixture
def it_has_runs(it: Running) -> Callable[[Visitor, int], None]:
    """Give a visitor this many runs, a day apart."""

    def add(visitor: Visitor, count: int) -> None:
        person = Person(Api(it.port), visitor.email)
        person.sign_in()
        for day in range(count):
            run = a_run(300, start=FIRST + timedelta(days=day), every=10)
            assert person.api.upload(f"{day}.gpx", gpx(run)).status == 201

    return add
