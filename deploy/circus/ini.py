"""Writes circus.ini: which processes there are, on which sockets, and how each is stopped."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from deploy.circus.children import tether
from deploy.circus.settings import Settings
from deploy.templates import fill

HERE = Path(__file__).parent
SERVE = f"{sys.executable} -m services serve"
BEYOND_DRAIN_S = 1.5


def render(settings: Settings, *, nginx: str, database_port: int | None, sandbox: bool, serve: str = SERVE) -> Path:
    """Write circus.ini and return its path. `serve` is the command that takes a service's name and its sockets."""
    common: dict[str, object] = {
        "run": settings.run,
        "logging": HERE / "logging.json",
        "home": settings.process.home,
        "endpoint": settings.endpoint,
        "events_endpoint": settings.events_endpoint,
        "nginx": nginx,
        "door_output": "" if can_be_opened(1) else "stdout_stream.class = StdoutStream",
        "bin": Path(sys.executable).parent,
        "python": sys.executable,
        "serve": serve,
        "tethered": tether("TERM"),
        "database_port": database_port,
        "sandbox_port": settings.process.sandbox_port,
        "graceful_s": settings.process.drain_s + BEYOND_DRAIN_S,
    }
    children = [*(["database"] if database_port else []), *(["sandbox"] if sandbox else [])]
    services = [
        fill(HERE / "service.ini.template", {**common, "name": name, "workers": workers})
        for name, workers in settings.workers.items()
    ]
    common["children"] = "\n".join(fill(HERE / f"{child}.ini.template", common) for child in children)
    common["services"] = "".join(services)
    path = settings.run / "circus.ini"
    path.write_text(fill(HERE / "circus.ini.template", common), "utf-8")
    return path


def can_be_opened(fd: int) -> bool:
    """Whether nginx can open this output by its name, which it does; a socket (of systemd's journal) it can't."""
    return not stat.S_ISSOCK(os.fstat(fd).st_mode)
