"""Loopback ports: which are free, and which an embedded Runnerly takes that was told none."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

import msgspec

from services.chassis.settings import ProcessSettings


def with_own_ports(process: ProcessSettings, environ: Mapping[str, str]) -> ProcessSettings:
    """The settings with free ports, of those that nobody set and nobody but Runnerly's own parts uses.

    So a second Runnerly on a machine is one with another `RUNNERLY_HOME`, `RUNNERLY_PORT` and `RUNNERLY_SANDBOX_PORT`. The
    sandbox opens its SMTP port long after it was chosen, maybe with another's beside it: the usual one is no choice for both.
    """
    if not environ.get("RUNNERLY_INTERNAL_PORT") and not is_free(process.internal_port, "127.0.0.1"):
        process = msgspec.structs.replace(process, internal_port=free_port())
    if not environ.get("RUNNERLY_SANDBOX_SMTP_PORT"):
        process = msgspec.structs.replace(process, sandbox_smtp_port=free_port())
    return process


def free_port() -> int:
    """A loopback port that nobody has at this moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int, host: str) -> bool:
    """Whether nobody listens on this port, of this host or of the loopback."""
    return all(_binds(port, at) for at in {host, "127.0.0.1"})


def _binds(port: int, host: str) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
