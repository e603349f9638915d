"""Requests by `wrk`, which must be installed, and what it tells of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

TO_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True, slots=True)
class Told:
    """Requests a second, and the 99th percentile of how long they took, in ms."""

    rate: float
    p99_ms: float


def wrk(url: str, *, seconds: int, connections: int, headers: Mapping[str, str]) -> Told:
    """Ask for so long over so many connections. Raises `SystemExit` where an answer is not a good one."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "60s"]
    signed = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    told = subprocess.run([*command, *signed, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"{url} did not answer well:\n{told}")
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", told), re.search(r"\s99%\s+([\d.]+)(us|ms|s|m)", told)
    assert rate, told
    assert p99, told
    return Told(float(rate[1]), float(p99[1]) * TO_MS[p99[2]])
