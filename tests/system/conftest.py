"""The same acceptance tests for every way to start Runnerly on one machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import Api, Mailbox, Person, register
from tests.support.running import How, Running, running


@pytest.fixture(scope="session", params=list(How), ids=lambda how: how.value.replace(" ", "-"))
def how(request: pytest.FixtureRequest) -> How:
    """How it is started."""
    found: How = request.param
    return found


@pytest.fixture(scope="session")
def it(how: How, pytestconfig: pytest.Config) -> Iterator[Running]:
    """A running Runnerly that the tests share. One that must be stopped or killed is started by its test."""
    with running(pytestconfig, how) as started:
        yield started


@pytest.fixture(scope="session")
def mailbox(it: Running) -> Mailbox:
    """Where its mail goes."""
    return Mailbox(it.sandbox_port)


@pytest.fixture(scope="session")
def anybody(it: Running) -> Api:
    """A client that has not signed in."""
    return Api(it.port)


@pytest.fixture
def person(it: Running, mailbox: Mailbox) -> Person:
    """Somebody new, signed in."""
    return register(it.port, mailbox)


@pytest.fixture
def other(it: Running, mailbox: Mailbox) -> Person:
    """Somebody else, signed in too."""
    return register(it.port, mailbox)
