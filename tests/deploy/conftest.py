"""A real nginx with our configuration, in front of stand-in services that tell what reached them."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.openresty.render import render
from deploy.openresty.settings import DoorSettings
from tests.support.api import Answer
from tests.support.missing import missing
from tests.support.processes import Child, free_port, wait_until

STAND_IN = Path(__file__).with_name("stand_in.py")
SIGNED_IN = {"security": [{"bearer": []}]}
AT_A_BROWSER = {"security": [{"session": []}, {}]}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "accounts": {
        "paths": {
            "/api/v1/sessions": {"post": {"operationId": "signIn"}},
            "/oauth/authorize": {
                "get": {"operationId": "askConsent", **AT_A_BROWSER},
                "post": {"operationId": "answerConsent", **AT_A_BROWSER},
            },
            "/oauth/token": {"post": {"operationId": "issueToken", "security": [{"client": []}, {}]}},
        }
    },
    "activities": {
        "openapi": "3.1.0",
        "paths": {
            "/": {"get": {"operationId": "readPage"}},
            "/api/v1/activities": {
                "get": {"operationId": "listActivities", **SIGNED_IN},
                "post": {
                    "operationId": "uploadActivity",
                    "requestBody": {"content": {"multipart/form-data": {}}},
                    **SIGNED_IN,
                },
            },
            "/api/v1/activities/manual": {"post": {"operationId": "writeActivity", **SIGNED_IN}},
            "/api/v1/activities/{activity_id}": {
                "get": {"operationId": "readActivity", **SIGNED_IN},
                "patch": {"operationId": "correctActivity", **SIGNED_IN},
                "delete": {"operationId": "deleteActivity", **SIGNED_IN},
            },
            "/api/v1/activities/{activity_id}/events": {"get": {"operationId": "watchActivity", **SIGNED_IN}},
            "/api/v1/activities/{activity_id}/death": {
                "get": {"operationId": "die", **SIGNED_IN},
                "post": {"operationId": "dieOnce", **SIGNED_IN},
            },
            "/api/v1/imports": {"post": {"operationId": "importArchive", **SIGNED_IN}},
            "/calendar/{secret}.ics": {"get": {"operationId": "readCalendar"}},
        },
    },
}


@dataclass
class Door:
    """A running door. `ask` makes one request on a connection of its own."""

    settings: DoorSettings
    log: Path
    workers: dict[str, Child] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        port: int | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.settings.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def send(self, raw: bytes) -> bytes:
        """Send bytes as they are, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.settings.port), timeout=60) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text("latin-1").splitlines() if line.startswith('{"event"')]


def answers(port: int, path: str = "/__lbheartbeat__") -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def nginx(pytestconfig: pytest.Config) -> str:
    """The nginx of this machine, with Lua."""
    found = shutil.which("nginx") or shutil.which("openresty") or ("/usr/sbin/nginx" * Path("/usr/sbin/nginx").exists())
    if not found:
        missing(pytestconfig, "nginx with Lua: apt-get install nginx libnginx-mod-http-lua lua-cjson")
    return found


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for the names of Unix sockets (108 bytes in all)."""
    folder = Path(tempfile.mkdtemp(prefix="rnl-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def open_door(nginx: str, run: Path, **changes: Any) -> Iterator[Door]:
    """Nginx and a worker of each service, until the block ends."""
    run.mkdir(parents=True)
    ports = {"port": free_port(), "internal_port": free_port()}
    settings = DoorSettings(
        **{**ports, "run": run, "door_workers": "2", "door_rate": 5000, "door_burst": 5000, **changes}
    )
    configuration = render(settings, nginx, DOCUMENTS)
    door = Door(settings, run / "log")
    server = Child([nginx, "-e", "stderr", "-p", str(run), "-c", str(configuration)], log=door.log)
    try:
        for service in DOCUMENTS:
            paths = ["--path", str(settings.socket(service)), "--internal-path", str(settings.internal_socket(service))]
            door.workers[service] = Child([sys.executable, str(STAND_IN), service, *paths], log=run / f"{service}.log")
        wait_until(lambda: answers(settings.port), within_s=60, what="the door's opening")
        yield door
    finally:
        for child in (server, *door.workers.values()):
            child.kill()


@pytest.fixture(scope="module")
def door(nginx: str, short_folder: Path) -> Iterator[Door]:
    with open_door(nginx, short_folder / "door", door_credentials_rate=1000, door_credentials_burst=1000) as opened:
        yield opened
