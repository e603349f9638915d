"""The image: built from our Dockerfile, locked down as compose.yaml has it, answering through its door."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.engine import Engine, lacking
from tests.support.api import PASSWORD, Api
from tests.support.database import DatabaseServer
from tests.support.missing import missing
from tests.support.processes import free_port, wait_until

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/runnerly:test"
LOCKED_DOWN = [
    "--network=host",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--user=10001:10001",
    "--memory=3g",
    "--mount=type=tmpfs,destination=/tmp,tmpfs-mode=1777",
    "--mount=type=tmpfs,destination=/var/lib/runnerly,U=true,tmpfs-mode=0700",
]


@pytest.fixture(scope="module")
def engine(pytestconfig: pytest.Config) -> Engine:
    lacks = lacking()
    if lacks:
        missing(pytestconfig, f"containers ({', '.join(lacks)}): apt-get install podman buildah runc conmon mmdebstrap")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    engine = Engine(cache / "runnerly-tests" / "containers")
    engine.prepare()
    return engine


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    engine.build(ROOT, IMAGE)
    return IMAGE


@dataclass
class Container:
    """A Runnerly in a container, on the host's loopback so that it reaches the test's database."""

    engine: Engine
    database: str
    keys: str
    port: int
    internal_port: int
    name: str

    @property
    def settings(self) -> list[str]:
        values = {
            "MONGODB_URI": self.database,
            "RUNNERLY_HOST": "127.0.0.1",
            "RUNNERLY_PORT": str(self.port),
            "RUNNERLY_INTERNAL_PORT": str(self.internal_port),
            "RUNNERLY_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "RUNNERLY_PROCESSES": "1",
            "SMTP_URL": "smtp://127.0.0.1:1",
        }
        return [f"--env={name}={value}" for name, value in values.items()]

    def once(self, *command: str, keys_for: str) -> str:
        """Run a task to its end, and return what it said."""
        volume = f"--volume={self.keys}:/var/lib/runnerly/keys:{keys_for},U"
        return self.engine.podman("run", "--rm", *LOCKED_DOWN, *self.settings, volume, IMAGE, *command).stdout

    def start(self) -> None:
        volume = f"--volume={self.keys}:/var/lib/runnerly/keys:ro"
        self.engine.podman("run", "--detach", f"--name={self.name}", *LOCKED_DOWN, *self.settings, volume, IMAGE)

    def inside(self, *command: str, check: bool = True) -> str:
        done = self.engine.podman("exec", self.name, *command, check=check)
        return done.stdout + done.stderr

    def log(self) -> str:
        done = self.engine.podman("logs", self.name)
        return done.stdout + done.stderr

    def is_healthy(self) -> bool:
        with contextlib.suppress(OSError):
            return Api(self.port, strict=False).get("/__lbheartbeat__").status == 200
        return False


@pytest.fixture(scope="module")
def container(
    engine: Engine, image: str, database_server: DatabaseServer, pytestconfig: pytest.Config
) -> Iterator[Container]:
    name = f"runnerly-test-{uuid.uuid4().hex[:8]}"
    it = Container(engine, database_server.uri, f"{name}-keys", free_port(), free_port(), name)
    try:
        it.once("runnerly", "keys", "bootstrap", keys_for="rw")
        it.once("runnerly", "migrate", keys_for="ro")
        it.start()
        try:
            wait_until(it.is_healthy, within_s=60, what="the container's health")
        except TimeoutError:
            raise AssertionError(it.log()[-5000:]) from None
        yield it
    finally:
        engine.podman("rm", "--force", "--time=1", name, check=False)
        engine.podman("volume", "rm", "--force", it.keys, check=False)


def test_it_answers_through_its_door(container: Container) -> None:
    api = Api(container.port)
    assert api.get("/").headers["Content-Type"].startswith("text/html")
    assert api.get("activities").status == 401
    assert api.get("/internal/v1/people/1").status == 404
    registered = api.post("accounts", {"email": "rosa@example.com", "password": PASSWORD, "name": "Rosa"})
    assert registered.status == 202
    wrong = api.post("sessions", {"email": "rosa@example.com", "password": "wrong pass phrase"})
    assert wrong.json["type"].endswith("/invalid-credentials")
    assert api.get("/__heartbeat__").status == 200
    assert api.get("/__version__").json["source"] == "runnerly"


def test_it_says_that_it_is_ready_and_logs_lines_of_json(container: Container) -> None:
    assert f"Runnerly is ready at http://127.0.0.1:{container.port}" in container.log()


def test_everything_in_it_runs_as_nobody_in_particular_and_writes_nowhere(container: Container) -> None:
    owners = container.inside("sh", "-c", "stat -c %u /proc/[0-9]*").split()
    assert set(owners) == {"10001"}
    for place in ("/app/x", "/etc/x", "/usr/local/x"):
        assert "Read-only file system" in container.inside("touch", place, check=False)
    status = container.inside("cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_its_health_check_goes_through_the_door(container: Container) -> None:
    assert container.engine.podman("healthcheck", "run", container.name, check=False).returncode == 0
    container.inside(
        "sh",
        "-c",
        "kill -STOP $(pgrep -f 'serve mailer' | head -n 1) 2>/dev/null || "
        "for p in /proc/[0-9]*; do grep -aq 'serve.mailer' $p/cmdline && kill -STOP ${p#/proc/}; done; true",
    )
    wait_until(
        lambda: container.engine.podman("healthcheck", "run", container.name, check=False).returncode != 0,
        within_s=20,
        what="a worker that hangs to show",
    )
    container.inside("sh", "-c", "for p in /proc/[0-9]*; do kill -CONT ${p#/proc/} 2>/dev/null; done; true")
    wait_until(container.is_healthy, within_s=20, what="good health again")


def test_its_tasks_are_safe_to_run_again(container: Container) -> None:
    container.once("runnerly", "keys", "bootstrap", keys_for="rw")
    assert "up to date" in container.once("runnerly", "migrate", keys_for="ro")
    assert container.is_healthy()


def test_it_stops_by_itself_within_10_s(container: Container) -> None:
    began = time.monotonic()
    container.engine.podman("stop", "--time=30", container.name)
    assert time.monotonic() - began < 12
    state = container.engine.podman("inspect", "--format={{.State.ExitCode}}", container.name).stdout.strip()
    assert state == "0", container.log()[-3000:]
