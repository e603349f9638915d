"""The settings of a Runnerly under Circus, from the environment; each service reads its own besides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, structs

from deploy.openresty.settings import DoorSettings
from services.chassis import settings
from services.chassis.settings import ProcessSettings

LONGEST_SOCKET_PATH = 107  # bytes of sun_path, less the zero at its end: unix(7)


class CircusSettings(Struct, frozen=True):
    """What the launcher is told, beside what the services and the door are."""

    processes: Annotated[
        int,
        Meta(ge=0, description="Workers of each service; 0 is half the cores. Of one: `RUNNERLY_PROCESSES_<SERVICE>`"),
    ] = 0
    nginx: Annotated[str, Meta(description="The nginx or OpenResty to use, where it is not on the path")] = ""
    bootstrap: Annotated[bool, Meta(description="Whether to make keys and migrate before serving")] = True
    warm_up_s: Annotated[
        float, Meta(ge=0, description="Seconds that new workers get at a reload before old ones leave")
    ] = 3.0


class Settings(Struct, frozen=True):
    """Everything the launcher goes by."""

    process: ProcessSettings
    door: DoorSettings
    circus: CircusSettings
    workers: dict[str, int]

    @property
    def run(self) -> Path:
        """The folder of sockets, rendered configuration and what else dies with the run."""
        return self.door.run

    @property
    def endpoint(self) -> str:
        """Where circusd takes commands."""
        return f"ipc://{self.run}/circus.sock"

    @property
    def events_endpoint(self) -> str:
        """Where circusd tells what happens to processes."""
        return f"ipc://{self.run}/circus_events.sock"


def read(services: tuple[str, ...], environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this environment. Raises `WrongSetting` with a sentence that says what to set."""
    process = settings.read(ProcessSettings, environ)
    process = structs.replace(process, home=process.home.absolute())
    circus = settings.read(CircusSettings, environ)
    door = structs.replace(
        settings.read(DoorSettings, environ),
        run=process.home / "run",
        host=process.host,
        port=process.port,
        internal_port=process.internal_port,
        public_url=process.url,
        cors_origins=process.cors_origins,
    )
    for service in services:
        if len(str(door.internal_socket(service))) > LONGEST_SOCKET_PATH:
            raise settings.WrongSetting(f"Set RUNNERLY_HOME to a shorter path: {door.run} leaves no room for sockets")
    usual = circus.processes or max(1, (os.cpu_count() or 1) // 2)
    return Settings(process, door, circus, {service: _workers(service, usual, environ) for service in services})


def _workers(service: str, usual: int, environ: Mapping[str, str]) -> int:
    variable = f"RUNNERLY_PROCESSES_{service.upper()}"
    said = environ.get(variable) or str(usual)
    if not said.isdigit() or int(said) == 0:
        raise settings.WrongSetting(f"Set {variable} to a whole number over 0, not {said!r}")
    return int(said)
