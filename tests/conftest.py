"""Fixtures and hooks for every test: real parts, and a loud word where one is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from services.chassis import context

pytest_plugins = ("tests.support.missing", "tests.support.database", "tests.support.rabbitmq", "tests.support.s3")

# How long an example takes says how busy the machine is, and nothing of the program.
settings.register_profile("runnerly", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("runnerly")


@pytest.fixture(autouse=True)
def no_request_in_hand() -> Iterator[None]:
    """A test that enters a request's context leaves none behind: its deadline would end the calls of those after it."""
    yield
    context._current.set(None)
