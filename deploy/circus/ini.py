"""Writes circus.ini: which processes there are, on which sockets, and how each is stopped."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

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
        "nginx": nginx,
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


def tether(signal: str) -> str:
    """The words before a command that make the kernel send it this signal when its parent dies (Linux; else none)."""
    setpriv = shutil.which("setpriv")
    return f"{setpriv} --pdeathsig {signal}" if setpriv else ""


def tethered(command: Sequence[str], signal: str) -> list[str]:
    """The command, tethered to us."""
    return [*tether(signal).split(), *command]
