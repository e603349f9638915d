"""The door's settings, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class DoorSettings(Struct, frozen=True):
    """Where the door stands and how much it lets through. Rates are requests a second of one client, over all nodes."""

    run: Path
    host: str = "127.0.0.1"
    port: int = 8080
    internal_port: int = 8090
    public_url: str = "http://127.0.0.1:8080"
    workers: str = "auto"
    nodes: int = 1
    rate: float = 50.0
    burst: int = 200
    credentials_rate: float = 2.0
    credentials_burst: int = 40
    connections: int = 100
    trusted_proxies: tuple[str, ...] = ()

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the door by https, here or at a load balancer in front of it."""
        return self.public_url.startswith("https://")

    def socket(self, service: str) -> Path:
        """The socket that the workers of a service share."""
        return self.run / f"{service}.sock"

    def internal_socket(self, service: str) -> Path:
        """The socket on which other services call it."""
        return self.run / f"{service}_internal.sock"


def read(environ: Mapping[str, str] = os.environ) -> DoorSettings:
    """The settings of this environment. Raises ValueError with a sentence that names the wrong variable."""
    home = Path(environ.get("RUNNERLY_HOME", "var")).absolute()
    port = _number(environ, "RUNNERLY_PORT", 8080)
    return DoorSettings(
        run=Path(environ["RUNNERLY_RUN"]).absolute() if environ.get("RUNNERLY_RUN") else home / "run",
        host=environ.get("RUNNERLY_HOST", "127.0.0.1"),
        port=port,
        internal_port=_number(environ, "RUNNERLY_INTERNAL_PORT", 8090),
        public_url=environ.get("RUNNERLY_PUBLIC_URL", f"http://127.0.0.1:{port}"),
        workers=environ.get("RUNNERLY_DOOR_WORKERS", "auto"),
        nodes=_number(environ, "RUNNERLY_DOOR_NODES", 1),
        rate=_number(environ, "RUNNERLY_DOOR_RATE", 50),
        burst=_number(environ, "RUNNERLY_DOOR_BURST", 200),
        credentials_rate=_number(environ, "RUNNERLY_DOOR_CREDENTIALS_RATE", 2),
        credentials_burst=_number(environ, "RUNNERLY_DOOR_CREDENTIALS_BURST", 40),
        connections=_number(environ, "RUNNERLY_DOOR_CONNECTIONS", 100),
        trusted_proxies=tuple(environ.get("RUNNERLY_TRUSTED_PROXIES", "").replace(",", " ").split()),
    )


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdigit() or int(text) == 0:
        raise ValueError(f"{name} must be a whole number over 0, not {text!r}")
    return int(text)
