"""Child processes of a test session: on a free port, in their own session, and never outliving their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


# Below those that Linux gives to whoever asks for any: a client, or a server of another test, would get one of them
# between our finding it free and its server's start, or while that is down. Each worker of pytest-xdist has its own.
_PORTS = range(12_000, 32_768)
_worker, _workers = (os.environ.get(f"PYTEST_XDIST_WORKER{more}", "") for more in ("", "_COUNT"))
_ours = list(_PORTS[int(_worker.removeprefix("gw") or 0) :: int(_workers or 1)])
random.SystemRandom().shuffle(_ours)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, that no other test was told of, and that nobody gets by chance."""
    while True:
        port = _ours.pop()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port


def wait_until(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Return as soon as the condition holds; raises TimeoutError, naming `what`, when it never does."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about within {within_s} s")
        time.sleep(0.02)


def assert_within(promised_s: float, took_s: float) -> None:
    """It took no longer than is promised; that is of a machine of its own, so a busy one is given as much computing."""
    if took_s >= promised_s:
        allowed_s = promised_s * _slowed()
        assert took_s < allowed_s, f"{took_s:.1f} s, not {promised_s} s ({allowed_s:.1f} s, as busy as it is here now)"


def _slowed() -> float:
    """How many times as long as alone something computes here now."""
    began, computed, enough_s = time.perf_counter(), time.thread_time(), 0.3
    while time.thread_time() - computed < enough_s:
        pass
    return max(1.0, (time.perf_counter() - began) / enough_s)


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One process, its output in a file; `kill` is `kill -9` of its whole group.

    Make it in the main thread: the kernel's "parent" is the thread that made it, and it dies when that one ends.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                pass_fds=tuple(pass_fds),
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - only a system call, and tests start it single-threaded
            )
        self.log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """`kill -9`: no chance to flush, answer or say goodbye."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def stop(self, within_s: float = 10) -> None:
        """Ask it to end, and kill it when it does not."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
