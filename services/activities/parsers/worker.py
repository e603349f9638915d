"""The inside of a worker process: its limits, and the one thing it does.

This module is imported by the service too, which names its functions; what is large is imported when a worker begins.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING

from services.activities.domain.problems import NotAnActivity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.activities.domain.sports import Sport
    from services.activities.parsers.parsed import ParsedFile

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_COMPRESSION = 3
_WARM_UP = (
    b"<gpx><trk><trkseg>"
    b'<trkpt lat="48.85" lon="2.35"><time>2026-01-01T10:00:00Z</time></trkpt>'
    b'<trkpt lat="48.86" lon="2.35"><time>2026-01-01T10:10:00Z</time></trkpt>'
    b"</trkseg></trk></gpx>"
)


def begin(parent: int, memory_bytes: int) -> None:
    """Make this process a worker: it dies with its parent, leaves Ctrl-C to it, and has bounds.

    `memory_bytes` is what reading may take on top of what a worker takes when it is ready.
    """
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # a panic in a decoder written in Rust writes to standard error before it is an exception here: nobody needs that
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    parse(_WARM_UP, {}, cpu_s=60)
    limit = _memory_now() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def identify() -> int:
    """The id of this process: the first thing a worker is asked, and answered when it is ready."""
    return os.getpid()


def parse(content: bytes, sports: Mapping[int, Sport], cpu_s: float) -> ParsedFile:
    """Read, analyse, compress and hash a file. Raises `NotAnActivity`; over `cpu_s` of computing, the process ends.

    `sports` are what sessions were, by their place, whatever the file says.
    """
    from services.activities.parsers.packed import parsed_file  # noqa: PLC0415 - large, and of no use to the service

    _limit_computing(cpu_s)
    try:
        return parsed_file(content, hashlib.sha256(content).hexdigest(), sports, level=_COMPRESSION)
    except MemoryError:
        raise NotAnActivity("Reading this file would take more memory than a file may") from None
    except RecursionError:
        raise NotAnActivity("This file is nested too deeply") from None


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it was asked for
        os._exit(1)


def _limit_computing(seconds: float) -> None:
    """Let the kernel end this process when it computes for so long from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _memory_now() -> int:
    """The size of this process's address space, in bytes."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - a pseudo-file
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:  # not on Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
