"""One service for all tests of this room, on a database server that nobody else clears: each signs in people of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.database import DatabaseServer
from tests.support.runners import Runner, Track, track


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_track(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Track]:
    home = tmp_path_factory.mktemp("track")
    server = DatabaseServer(tmp_path_factory.mktemp("database-of-track"))
    server.start()
    async with track(server, home) as made:
        yield made
    server.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def runner(shared_track: Track) -> Runner:
    """Somebody who has no activities yet."""
    return await shared_track.runner()


@pytest_asyncio.fixture(loop_scope="session")
async def other(shared_track: Track) -> Runner:
    """Somebody else."""
    return await shared_track.runner()
