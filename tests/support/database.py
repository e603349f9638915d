"""A real database for tests: one SecantusDB a session, as many fresh databases in it as tests ask for.

Fixtures: `database_server` (the session's, also to be told `kill()` and `start()` again), `own_database_server` (one
that this test alone may kill), `mongo`, `fresh_database` (a factory) and `database` (one fresh database).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from services.chassis.mongo import Database, DatabaseError, Mongo
from tests.support.processes import Child, accepts, free_port, wait_until

_numbers = itertools.count(1)


class DatabaseServer:
    """A SecantusDB process on a loopback port. Its data outlives `kill`, as a database's must."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._child: Child | None = None
        self.port = free_port()

    @property
    def uri(self) -> str:
        """Where to connect."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def launch(self) -> None:
        """Start it (again) on the same port and data, without waiting for it."""
        program = Path(sys.executable).with_name("secantusd-py")
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self._home / "data"))
        # Without --sync-on-commit a transaction answered as journalled can be lost to `kill -9` (SecantusDB 0.7.0b3).
        self._child = Child((str(program), *where, "--sync-on-commit"), log=self._home / "log")

    def ready(self) -> bool:
        """Whether it accepts connections; fails when it has ended instead."""
        assert self._child is not None
        assert self._child.alive, f"the database ended at its start:\n{self._child.log.read_text()}"
        return accepts(self.port)

    def start(self) -> None:
        """Launch it and return when it is ready."""
        self.launch()
        wait_until(self.ready, within_s=60, what="the database's start")

    def kill(self) -> None:
        """`kill -9` it."""
        if self._child:
            self._child.kill()

    def stop(self) -> None:
        """End it in good order."""
        if self._child:
            self._child.stop()


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """The session's database server. Don't kill it: others need it."""
    yield from _served(tmp_path_factory.mktemp("database"))


@pytest.fixture
def own_database_server(tmp_path: Path) -> Iterator[DatabaseServer]:
    """A database server of the test's own, to be killed and started at will."""
    yield from _served(tmp_path)


def _served(home: Path) -> Iterator[DatabaseServer]:
    server = DatabaseServer(home)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def mongo(database_server: DatabaseServer) -> AsyncIterator[Mongo]:
    """A client of the session's server, for this test's event loop."""
    client = Mongo(database_server.uri)
    yield client
    client.close()


@pytest.fixture
async def fresh_database(mongo: Mongo) -> AsyncIterator[Callable[[str], Database]]:
    """A factory of databases that nobody has used, dropped after the test: `fresh_database("activities")`."""
    made: list[str] = []

    def fresh(purpose: str) -> Database:
        made.append(f"test_{purpose}_{next(_numbers)}")
        return mongo.database(made[-1])

    yield fresh
    for name in made:
        await mongo.drop(name)


@pytest.fixture
def database(fresh_database: Callable[[str], Database]) -> Database:
    """One fresh database."""
    return fresh_database("any")


@pytest.fixture
async def own_mongo(own_database_server: DatabaseServer) -> AsyncIterator[Mongo]:
    """A client of the test's own server."""
    client = Mongo(own_database_server.uri)
    yield client
    client.close()


async def answers(mongo: Mongo, within_s: float = 60) -> None:
    """Return when the server behind this client answers (again)."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await mongo.ping()
            except DatabaseError:
                await asyncio.sleep(0.05)
