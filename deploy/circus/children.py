"""The processes under us: tethered to us in life, adopted when their parents die, and none left at the end."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

LOOK_S = 0.05
PR_SET_CHILD_SUBREAPER = 36


def tether(signal_name: str) -> str:
    """The words before a command that make the kernel send it this signal when its parent dies (Linux; else none)."""
    setpriv = shutil.which("setpriv")
    return f"{setpriv} --pdeathsig {signal_name}" if setpriv else ""


def tethered(command: Sequence[str]) -> list[str]:
    """The command, ended by SIGTERM when we die."""
    return [*tether("TERM").split(), *command]


def adopt_orphans() -> None:
    """Become the parent of whatever our children leave behind (prctl(2)), as process 1 of a container is anyway."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def bury_orphans(known: Collection[int] = ()) -> None:
    """Reap dead children that nobody else waits for; the `known` ones are waited for."""
    with suppress(ChildProcessError):
        while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if dead.si_pid in known:
                return
            os.waitpid(dead.si_pid, 0)


def end_all(until: float) -> None:
    """Return when no child is left, adopted ones among them; from this moment (monotonic clock, s) on they are killed."""
    while children := _children():
        if time.monotonic() > until:
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        bury_orphans()
        time.sleep(LOOK_S)


def _children() -> list[int]:
    """Our children (proc(5))."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
