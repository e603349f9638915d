"""Our side: every service of the street in two processes on one socket, in front of the database that is named."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.api import Api
from tests.support.processes import Child, accepts, free_port, wait_until

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("tokendealer", "accounts", "activities", "mailer", "dashboard")
CACHE = "64M"  # half of what PostgreSQL takes for its shared buffers, unless told
EMAIL, PASSWORD = "probe@example.com", secrets.token_urlsafe(18)
SPORTS = (("running", 10_000.0, 3_300.0), ("cycling", 40_000.0, 5_400.0), ("walking", 5_000.0, 3_600.0))


class Runnerly:
    """A Runnerly with two workers.

    `native` is the path of the native SecantusDB; without it, the embedded one runs. Unless it `keeps` replies, each is made.
    """

    name = "Runnerly"

    def __init__(self, home: Path, *, workers: int, native: str | None, keeps: bool = True) -> None:
        self.home, self.workers = home, workers
        home.mkdir(parents=True)
        self.database_name = Path(native).name if native else "secantusd-py"
        self._is_native, self._keeps = native is not None, keeps
        self._database_program = native or str(Path(sys.executable).with_name("secantusd-py"))
        self._children: list[Child] = []
        self._sockets = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(2)]
        self.port, self._internal_port = (one.getsockname()[1] for one in self._sockets)
        self._database_port = free_port()
        self.one = ""

    @property
    def _environ(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "RUNNERLY_HOME": str(self.home),
            "RUNNERLY_PORT": str(self.port),
            "RUNNERLY_INTERNAL_PORT": str(self._internal_port),
            "MONGODB_URI": f"mongodb://127.0.0.1:{self._database_port}/?directConnection=true",
            "SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
            "RUNNERLY_LOG_LEVEL": "warning",
            "RUNNERLY_WORKERS": str(self.workers),
            **({} if self._keeps else {"RUNNERLY_KEPT_REPLIES_MIB": "0"}),
        }

    def start(self) -> None:
        """Start the database and the workers, and sign in to an account that is there afterwards."""
        where = ("--host", "127.0.0.1", "--port", str(self._database_port), "--storage-path", str(self.home / "mongo"))
        cache = ("--cache-size", CACHE) if self._is_native else ()
        self._children.append(
            Child((self._database_program, *where, *cache, "--sync-on-commit"), log=self.home / "database.log")
        )
        wait_until(lambda: accepts(self._database_port), within_s=30, what="the database's start")
        self._run("keys", "bootstrap")
        self._run("migrate")
        self._run("users", "create-admin", "--email", EMAIL, "--password-stdin", told=PASSWORD)
        descriptors = [one.fileno() for one in self._sockets]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        command = [sys.executable, "-m", "services", "serve", *SERVICES]
        sockets = ["--fd", str(descriptors[0]), "--internal-fd", str(descriptors[1])]
        for number in range(self.workers):
            log = self.home / f"worker{number}.log"
            self._children.append(Child([*command, *sockets], log=log, env=self._environ, pass_fds=descriptors))
        wait_until(self._answers, within_s=60, what="the workers' start")

    def _run(self, *command: str, told: str = "") -> None:
        environ = {**os.environ, **self._environ}
        subprocess.run(
            [sys.executable, "-m", "services", *command], env=environ, input=told, text=True, check=True, cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            return Api(self.port, timeout_s=2).get("/__lbheartbeat__").status == 200
        except OSError:
            return False

    def _signed_in(self) -> Api:
        answer = Api(self.port).post("sessions", {"email": EMAIL, "password": PASSWORD})
        assert answer.status == 201, answer.body
        return Api(self.port, answer.json["access_token"])

    def fill(self, number: int) -> None:
        """Have so many activities over ten years beside those that were uploaded, entered by hand through the API."""
        api = self._signed_in()
        first = datetime(2016, 1, 1, 12, tzinfo=UTC)

        def enter(index: int) -> None:
            sport, distance, elapsed = SPORTS[index % len(SPORTS)]
            entry: dict[str, Any] = {
                "sport": sport,
                "started_at": (first + timedelta(days=3650) * (index / number)).isoformat().replace("+00:00", "Z"),
                "timezone": "Europe/Paris",
                "distance_m": distance + index % 997,
                "elapsed_s": elapsed + index % 601,
            }
            answer = api.post("activities/manual", entry)
            assert answer.status == 201, answer.body

        with ThreadPoolExecutor(8) as pool:
            for begin in range(0, number, 500):  # a token lasts for five minutes
                api = self._signed_in()
                list(pool.map(enter, range(begin, min(number, begin + 500))))

    def look(self) -> None:
        """Choose the activity that is read: the newest that came from a file."""
        items = self._signed_in().get("activities", sort="-started_at", limit=100).json["items"]
        self.one = next(item["id"] for item in items if item["source"]["kind"] == "file")

    def pages(self) -> Mapping[str, str]:
        """What is read."""
        base = f"http://127.0.0.1:{self.port}/api/v1"
        return {
            "list": f"{base}/activities?limit=10",
            "one": f"{base}/activities/{self.one}",
            "statistics": f"{base}/stats?by=month",
            "streams": f"{base}/activities/{self.one}/streams?points=3600",
        }

    def headers(self) -> Mapping[str, str]:
        """A fresh token."""
        return {"Authorization": f"Bearer {self._signed_in().token}"}

    def signed_in(self) -> None:
        """Sign in for the uploads that come."""
        self._uploader = self._signed_in()

    def upload(self, name: str, content: bytes) -> int:
        """Upload one file."""
        return self._uploader.upload(name, content).status

    def roots(self) -> Sequence[int]:
        """The database and the workers."""
        return [child.pid for child in self._children]

    def stop(self) -> None:
        """End it."""
        for child in reversed(self._children):
            child.stop()
        self._children.clear()
