"""A whole Runnerly, started the way its users start it, on ports and a home of its own.

It imports nothing of the program: it knows the commands, the environment and the ready line.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import psutil
import pytest

from tests.support.missing import missing
from tests.support.processes import free_port, wait_until

ROOT = Path(__file__).parents[2]
READY = b"Runnerly is ready at "
MARK = "RUNNERLY_TEST_MARK"
STARTS_WITHIN_S = 120.0


class How(Enum):
    """The ways to start it: all in one process, or under Circus behind nginx."""

    RUN = "make run"
    UP = "make up"

    @property
    def command(self) -> list[str]:
        """What make executes."""
        module = ["services", "up"] if self is How.RUN else ["deploy.circus", "up"]
        return [sys.executable, "-m", *module]


class Running:
    """One Runnerly. Its data stays in its home from one `start` to the next."""

    def __init__(self, how: How, home: Path, **settings: str) -> None:
        self.how, self.home, self.settings = how, home, settings
        self.port, self.internal_port, self.sandbox_port = free_port(), free_port(), free_port()
        self.smtp_port = free_port()
        self.log = home.with_name(f"{home.name}.log")
        self._mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """Its environment: ours, less what would lead it elsewhere."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("RUNNERLY_", "MONGODB", "AMQP"))
        }
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            MARK: self._mark,
            "RUNNERLY_HOME": str(self.home),
            "RUNNERLY_PORT": str(self.port),
            "RUNNERLY_INTERNAL_PORT": str(self.internal_port),
            "RUNNERLY_SANDBOX_PORT": str(self.sandbox_port),
            "RUNNERLY_SANDBOX_SMTP_PORT": str(self.smtp_port),
            "SMTP_URL": f"smtp://127.0.0.1:{self.smtp_port}",
            # All our people come from one address.
            "RUNNERLY_DOOR_RATE": "10000",
            "RUNNERLY_DOOR_BURST": "10000",
            "RUNNERLY_DOOR_CREDENTIALS_RATE": "10000",
            "RUNNERLY_DOOR_CREDENTIALS_BURST": "10000",
            "RUNNERLY_WARM_UP_S": "4",
            **self.settings,
        }

    @property
    def pid(self) -> int:
        """The process that make would be."""
        assert self._process is not None
        return self._process.pid

    def start(self, within_s: float = STARTS_WITHIN_S) -> float:
        """Start it, and return after how many seconds it said that it is ready."""
        with self.log.open("ab") as log:
            self._log_began = log.tell()
            began = time.monotonic()
            self._process = subprocess.Popen(
                self.how.command,
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._is_ready, within_s=within_s, what="the ready line")
        except TimeoutError:
            self.destroy()
            raise AssertionError(f"not ready within {within_s} s:\n{self.told()[-5000:]}") from None
        return time.monotonic() - began

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended at its start:\n{self.told()[-5000:]}"
        return READY in self.log.read_bytes()[self._log_began :]

    def told(self) -> str:
        """What it printed since its last start."""
        return self.log.read_bytes()[self._log_began :].decode("utf-8", "replace")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; return its exit code and after how many seconds it was gone."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(number)
        code = self._process.wait(timeout=60)
        return code, time.monotonic() - began

    @property
    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """`kill -9` of the process that was started; what it started has to notice by itself."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to it, whoever its parent is by now."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self._mark
        except psutil.Error:
            return False

    def named(self, words: str) -> list[psutil.Process]:
        """Those of its processes that have these words in their command line."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if words in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def wait_gone(self, within_s: float = 60) -> None:
        """Return when no process of it is left."""
        wait_until(lambda: not self.processes(), within_s=within_s, what="the end of every process")

    def destroy(self) -> None:
        """Leave nothing of it running, whatever happened."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self._process is not None:
            self._process.wait()


def lua_is_here() -> bool:
    """Whether this machine has an nginx with Lua."""
    debian = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists() and Path("/usr/sbin/nginx").exists()
    return debian or shutil.which("openresty") is not None


@contextlib.contextmanager
def a_home() -> Iterator[Path]:
    """A fresh home with a path short enough for Unix sockets in it (108 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix="rnl-"))
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(config: pytest.Config, how: How, **settings: str) -> Iterator[Running]:
    """A fresh Runnerly, ready, with these variables beside its usual ones; nothing of it is left afterwards."""
    if how is How.UP and not lua_is_here():
        missing(
            config, "nginx with Lua: apt-get install nginx libnginx-mod-http-lua lua-cjson (system tests of `make up`)"
        )
    with a_home() as home:
        it = Running(how, home, **settings)
        try:
            it.start()
            yield it
        finally:
            it.destroy()
