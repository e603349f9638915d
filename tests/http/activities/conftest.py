"""One service for all tests of this room: each signs in people of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.database import DatabaseServer
from tests.support.runners import Runner, Track, track


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_track(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Track]:
    async with track(database_server, tmp_path_factory.mktemp("track")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def runner(shared_track: Track) -> Runner:
    """Somebody who has no activities yet."""
    return await shared_track.runner()


@pytest_asyncio.fixture(loop_scope="session")
async def other(shared_track: Track) -> Runner:
    """Somebody else."""
    return await shared_track.runner()
