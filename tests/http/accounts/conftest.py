"""A street with accounts on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.activities import app as activities
from tests.support.database import DatabaseServer
from tests.support.street import Street, street


@pytest.fixture
async def whole_town(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Street]:
    """Every service that holds something of people."""
    async with street(database_server, tmp_path, more=[activities.SERVICE]) as running:
        yield running


@pytest.fixture
async def town(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Street]:
    """Accounts, tokendealer and mailer."""
    async with street(database_server, tmp_path) as running:
        yield running
