"""A real S3 for tests, over HTTP: moto's server in a process of its own. What is in it ends with the process."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.activities.store.s3 import Location
from tests.support.processes import Child, accepts, free_port, wait_until

BUCKET = "runs"
KEY, SECRET = "AKIDRUNNERLY", "the secret of a test"


class S3Server:
    """The process, on a loopback port. Where `strict`, it knows nobody, and refuses everything once it has a bucket."""

    def __init__(self, home: Path, *, strict: bool = False) -> None:
        self._log = home / "s3.log"
        self._environ = {"INITIAL_NO_AUTH_ACTION_COUNT": "1"} if strict else {}
        self._child: Child | None = None
        self.port = free_port()

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """The settings that have originals kept here."""
        return {
            "RUNNERLY_ORIGINALS_URL": f"s3://{BUCKET}/originals",
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def location(self, bucket: str = BUCKET) -> Location:
        """The bucket in it."""
        return Location(f"s3://{bucket}/originals", "us-east-1", self.endpoint, KEY, SECRET)

    def start(self) -> None:
        """Start it (again) on the same port, with an empty bucket."""
        command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port))
        self._child = Child(command, log=self._log, env=self._environ)
        wait_until(lambda: accepts(self.port), within_s=60, what="the start of S3")
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{BUCKET}", method="PUT")).close()  # noqa: S310

    def kill(self) -> None:
        """`kill -9` it."""
        if self._child:
            self._child.kill()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The session's S3. Don't kill it: others need it."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_s3_server(tmp_path: Path) -> Iterator[S3Server]:
    """An S3 of the test's own, to be killed and started at will."""
    server = S3Server(tmp_path)
    server.start()
    yield server
    server.kill()
