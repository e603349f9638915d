"""The door's settings, from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from services.chassis.origins import Origins


class DoorSettings(Struct, frozen=True):
    """Where the door stands and how much it lets through.

    Limits are those of all nodes together: each node, which counts for itself, takes its share.
    """

    run: Path = Path("var/run")
    host: str = "127.0.0.1"
    port: int = 8080
    internal_port: int = 8090
    public_url: str = "http://127.0.0.1:8080"
    cors_origins: Origins = Origins()
    door_workers: Annotated[str, Meta(pattern="^(auto|[1-9][0-9]*)$", description="nginx's worker processes")] = "auto"
    door_nodes: Annotated[int, Meta(ge=1, description="How many doors share the limits")] = 1
    door_rate: Annotated[float, Meta(gt=0, description="Requests a second that one client may make for long")] = 50
    door_burst: Annotated[int, Meta(ge=1, description="Requests that one client may make at once")] = 200
    door_credentials_rate: Annotated[
        float, Meta(gt=0, description="The same, of calls in which a password or a code could be guessed")
    ] = 2
    door_credentials_burst: Annotated[int, Meta(ge=1, description="The same, at once")] = 40
    door_connections: Annotated[int, Meta(ge=1, description="Requests of one client under way at once")] = 200
    trusted_proxies: Annotated[
        str, Meta(description="Networks of load balancers in front of the door, whose X-Forwarded-For is believed")
    ] = ""

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

    def share(self, limit: int) -> int:
        """What is left of a limit for this node, at least 1."""
        return max(1, limit // self.door_nodes)
