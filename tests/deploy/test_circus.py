"""Runnerly under Circus, with stand-in services: it starts, heals, reloads under load and stops without leaving anything."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from deploy.circus.streams import WithoutQueries
from tests.deploy.conftest import answers
from tests.support.processes import accepts, assert_within, free_port, wait_until

ROOT = Path(__file__).parents[2]
UP = [sys.executable, "-m", "tests.deploy.stand_in_up"]


@dataclass
class Up:
    """A `make up` of stand-ins."""

    home: Path
    port: int = field(default_factory=free_port)
    internal_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONPATH": str(ROOT),
            "RUNNERLY_HOME": str(self.home),
            "RUNNERLY_PORT": str(self.port),
            "RUNNERLY_INTERNAL_PORT": str(self.internal_port),
            "RUNNERLY_BOOTSTRAP": "false",
            "RUNNERLY_ENVIRONMENT": "production",
            "RUNNERLY_PROCESSES": "2",
            "RUNNERLY_WARM_UP_S": "1.5",
            "RUNNERLY_DOOR_RATE": "100000",
            "RUNNERLY_DOOR_BURST": "100000",
            "RUNNERLY_DOOR_CREDENTIALS_RATE": "100000",
            "RUNNERLY_DOOR_CREDENTIALS_BURST": "100000",
            "MONGODB_URI": "mongodb://127.0.0.1:1",
        }

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    def start(self) -> None:
        with self.log.open("ab") as log:
            began = log.tell()
            self.process = subprocess.Popen(
                UP, env=self.environ, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(
            lambda: b"Runnerly is ready at" in self.log.read_bytes()[began:], within_s=120, what="the ready line"
        )

    def tree(self) -> list[psutil.Process]:
        """Every process of it, the launcher first."""
        assert self.process is not None
        launcher = psutil.Process(self.process.pid)
        return [launcher, *launcher.children(recursive=True)]

    def workers(self, service: str) -> list[psutil.Process]:
        return [process for process in self.tree() if f"stand_in.py {service} " in command_of(process)]

    def arbiter(self) -> psutil.Process:
        return next(process for process in self.tree() if "circus.circusd" in command_of(process))


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def running(home: Path) -> Iterator[Up]:
    up = Up(home)
    up.start()
    assert up.process is not None
    try:
        yield up
    finally:
        left = up.tree() if up.process.poll() is None else []
        up.process.terminate()
        up.process.wait(timeout=60)
        for process in psutil.wait_procs(left, timeout=1)[1]:
            process.kill()


@pytest.fixture(scope="module")
def up(nginx: str, short_folder: Path) -> Iterator[Up]:
    with running(short_folder / "up") as started:
        yield started


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_it_listens_on_loopback_only(up: Up) -> None:
    """Circus's discovery by multicast is off, and its commands come over a Unix socket."""
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in up.tree()
        for connection in process.net_connections("inet")
        if connection.status in {psutil.CONN_LISTEN, psutil.CONN_NONE}
    }
    assert listening == {("127.0.0.1", up.port), ("127.0.0.1", up.internal_port)}


def test_its_sockets_are_for_its_user_only(up: Up) -> None:
    assert oct((up.home / "run").stat().st_mode)[-3:] == "700"


def test_every_service_has_its_workers(up: Up) -> None:
    assert {service: len(up.workers(service)) for service in ("accounts", "activities")} == {
        "accounts": 2,
        "activities": 2,
    }


def test_a_killed_worker_is_replaced_within_2_s(up: Up) -> None:
    victim, *_ = up.workers("activities")
    victim.kill()
    began = time.monotonic()
    wait_until(lambda: len({*up.workers("activities")} - {victim}) == 2, within_s=60, what="a new worker")
    assert_within(2, time.monotonic() - began)
    assert answers(up.port)


class Load:
    """Clients with keep-alive connections, through the door, until the block ends; `seen` counts what came back."""

    def __init__(self, port: int, requests: list[tuple[str, str, dict[str, str]]]) -> None:
        self._port, self._requests = port, requests
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(8)]
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def go_on_for(self, answers: int) -> None:
        """Wait for so many more."""
        wanted = self.seen.total() + answers
        wait_until(lambda: self.seen.total() >= wanted, within_s=60, what=f"{answers} answers")

    def _client(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._over.is_set():
            for method, path, headers in self._requests:
                try:
                    connection.request(method, path, b"{}" if method == "POST" else None, headers)
                    response = connection.getresponse()
                    response.read()
                    self.seen[f"{method} {response.status}"] += 1
                except (OSError, http.client.HTTPException) as error:
                    self.seen[f"{method} {type(error).__name__} of {number}"] += 1
                    connection.close()
        connection.close()


def test_a_reload_and_a_kill_under_load_lose_no_request(up: Up) -> None:
    """What may be repeated is repeated when its worker is killed; the rest gets through a reload on its own connection."""
    before = {process.pid for service in ("accounts", "activities") for process in up.workers(service)}
    repeatable = [
        ("GET", "/api/v1/activities?sleep_s=0.01", {}),
        ("POST", "/api/v1/activities/manual", {"Idempotency-Key": "k"}),
    ]
    with Load(up.port, [*repeatable, ("POST", "/api/v1/sessions", {})]) as load:
        load.go_on_for(100)
        subprocess.run([*UP, "reload"], env=up.environ, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=120)
        load.go_on_for(100)
    after = {process.pid for service in ("accounts", "activities") for process in up.workers(service)}
    assert (len(after), before & after) == (4, set())
    with Load(up.port, repeatable) as killing:
        for _ in range(3):
            killing.go_on_for(100)
            wait_until(lambda: len(up.workers("activities")) == 2, within_s=60, what="two workers")
            up.workers("activities")[0].kill()
        killing.go_on_for(100)
    assert set(load.seen) == {"GET 200", "POST 200"}, load.seen
    assert set(killing.seen) == {"GET 200", "POST 200"}, killing.seen


def test_a_signal_stops_all_of_it_within_10_s(nginx: str, short_folder: Path) -> None:
    """Requests under way are finished first."""
    with running(short_folder / "stop") as up:
        tree, answer, begun = up.tree(), Counter[int](), short_folder / "begun"

        def ask() -> None:
            with closing(http.client.HTTPConnection("127.0.0.1", up.port, timeout=60)) as connection:
                connection.request("GET", f"/api/v1/activities?sleep_s=1.5&begun={quote(str(begun))}")
                answer[connection.getresponse().status] += 1

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(begun.exists, within_s=60, what="the request's arrival")
        began = time.monotonic()
        assert up.process is not None
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(timeout=60) == 0
        assert_within(10, time.monotonic() - began)
        asking.join()
        assert answer == {200: 1}
        assert gone(tree)
        assert not accepts(up.port)


@pytest.mark.parametrize("victim", ["launcher", "circusd"])
def test_what_was_killed_leaves_nothing_and_comes_up_again(nginx: str, short_folder: Path, victim: str) -> None:
    with running(short_folder / victim) as up:
        tree = up.tree()
        (tree[0] if victim == "launcher" else up.arbiter()).kill()
        assert up.process is not None
        assert up.process.wait(timeout=60) != 0
        wait_until(lambda: gone(tree), within_s=60, what="the end of all of it")
        up.start()
        assert answers(up.port)


def test_a_port_that_is_taken_is_told(nginx: str, up: Up, short_folder: Path) -> None:
    second = Up(short_folder / "second", port=up.port)
    told = subprocess.run(UP, env=second.environ, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode != 0
    assert f"Port {up.port} is taken" in told.stderr


def test_queries_are_cut_out_of_error_lines(capsys: pytest.CaptureFixture[str]) -> None:
    stream = WithoutQueries()
    for piece in (b'failed, request: "GET /activate?tok', b'en=secret HTTP/1.1", host: "x"\nnext'):
        stream({"pid": 1, "data": piece})
    assert capsys.readouterr().err == 'failed, request: "GET /activate?... HTTP/1.1", host: "x"\n'
