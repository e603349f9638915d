"""The image: built from our Dockerfile, locked down as compose.yaml has it, answering through its door."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import psutil
import pytest

from tests.deploy.engine import Engine, lacking
from tests.support.api import PASSWORD, Api
from tests.support.database import DatabaseServer
from tests.support.missing import missing
from tests.support.processes import Child, accepts, assert_within, free_port, wait_until
from tests.support.recordings import a_run, gpx

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(500)  # the first run makes a base image and installs everything in it
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
    smtp: str
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
            "SMTP_URL": self.smtp,
            "RUNNERLY_MAIL_FROM": "runnerly@example.com",
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

    def workers(self, service: str) -> list[psutil.Process]:
        """Its workers of a service, as this machine sees them."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            with contextlib.suppress(psutil.Error):
                is_worker = ["serve", service] == (process.info["cmdline"] or [])[3:5]
                if is_worker and process.environ().get("RUNNERLY_PORT") == str(self.port):
                    found.append(process)
        return found

    def log(self) -> str:
        done = self.engine.podman("logs", self.name)
        return done.stdout + done.stderr

    def is_healthy(self) -> bool:
        with contextlib.suppress(OSError):
            return Api(self.port, strict=False).get("/__lbheartbeat__").status == 200
        return False


@dataclass(frozen=True)
class Post:
    """A mail server that keeps what it takes in a folder."""

    port: int
    folder: Path

    def activation_token(self, to: str) -> str:
        found: list[str] = []

        def arrived() -> bool:
            for path in (self.folder / "new").glob("*"):
                letter = message_from_bytes(path.read_bytes(), policy=policy.default)
                body = letter.get_body(("plain",))  # type: ignore[attr-defined]
                if to in str(letter["To"]):
                    found.extend(re.findall(r"/activate\?token=([^\s&]+)", body.get_content()))
            return bool(found)

        wait_until(arrived, within_s=60, what="the activation mail")
        return found[-1]


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    folder, port = tmp_path_factory.mktemp("post"), free_port()
    handler = ["-c", "aiosmtpd.handlers.Mailbox", str(folder / "mail")]
    server = Child([sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", *handler], log=folder / "log")
    wait_until(lambda: accepts(port), within_s=60, what="the mail server's start")
    yield Post(port, folder / "mail")
    server.kill()


@pytest.fixture(scope="module")
def container(engine: Engine, image: str, database_server: DatabaseServer, post: Post) -> Iterator[Container]:
    name, smtp = f"runnerly-test-{uuid.uuid4().hex[:8]}", f"smtp://127.0.0.1:{post.port}"
    it = Container(engine, database_server.uri, smtp, f"{name}-keys", free_port(), free_port(), name)
    try:
        it.once("runnerly", "keys", "bootstrap", keys_for="rw")
        it.once("runnerly", "migrate", keys_for="ro")
        it.start()
        try:
            wait_until(it.is_healthy, within_s=90, what="the container's health")
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
    assert api.get("/__version__").json["source"] == "runnerly"
    assert Api(container.port, strict=False).get("/__heartbeat__").json["status"] == "ok"


def test_it_does_the_main_job(container: Container, post: Post) -> None:
    email = "rosa@example.com"
    api = Api(container.port)
    assert api.post("accounts", {"email": email, "password": PASSWORD, "name": "Rosa"}).status == 202
    assert api.post("accounts/activation", {"token": post.activation_token(email)}).status == 200
    api.token = api.post("sessions", {"email": email, "password": PASSWORD}).json["access_token"]
    uploaded = api.upload("run.gpx", gpx(a_run(600, every=5)))
    assert uploaded.status == 201, uploaded.body
    assert [item["id"] for item in api.get("activities").json["items"]] == [uploaded.json["id"]]
    assert api.get("stats", by="month").json["items"][0]["activities"] == 1


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
    """A worker that hangs shows, though nginx and every other service are well."""

    def is_well() -> bool:
        return container.engine.podman("healthcheck", "run", container.name, check=False).returncode == 0

    assert is_well()
    (worker,) = container.workers("mailer")
    worker.suspend()
    try:
        wait_until(lambda: not is_well(), within_s=60, what="the sight of it")
    finally:
        worker.resume()
    wait_until(is_well, within_s=60, what="good health again")


def test_its_tasks_are_safe_to_run_again(container: Container) -> None:
    container.once("runnerly", "keys", "bootstrap", keys_for="rw")
    assert "up to date" in container.once("runnerly", "migrate", keys_for="ro")
    assert container.is_healthy()


def test_a_wrong_setting_ends_it_with_a_sentence(container: Container) -> None:
    volume = f"--volume={container.keys}:/var/lib/runnerly/keys:ro"
    elsewhere = [
        f"--env=RUNNERLY_PORT={free_port()}",
        f"--env=RUNNERLY_INTERNAL_PORT={free_port()}",
        "--env=SMTP_URL=mail",
    ]
    ended = container.engine.podman(
        "run", "--rm", *LOCKED_DOWN, *container.settings, *elsewhere, volume, IMAGE, check=False, timeout_s=90
    )
    assert ended.returncode == 78
    assert "mailer can't start with these settings" in ended.stderr
    assert "Set SMTP_URL" in ended.stdout + ended.stderr


def test_it_stops_by_itself_within_10_s(container: Container) -> None:
    began = time.monotonic()
    container.engine.podman("stop", "--time=30", container.name)
    assert_within(12, time.monotonic() - began)
    state = container.engine.podman("inspect", "--format={{.State.ExitCode}}", container.name).stdout.strip()
    assert state == "0", container.log()[-3000:]
