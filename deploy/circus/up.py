"""Starts Runnerly under Circus in the foreground, says when it is ready, and stops all of it in order.

Everything hangs on this process: circusd gets SIGTERM when it dies, and what circusd runs gets SIGTERM when circusd does.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from deploy.circus import ini
from deploy.circus.arbiter import Arbiter, Refused
from deploy.circus.settings import Settings
from deploy.openresty.render import render as render_door
from services.chassis.settings import WrongSetting

CIRCUS_S, DATABASE_S, READY_S = 15.0, 30.0, 60.0
PORTS_S = 10.0
STOP_S = 9.5
DOOR_CLOSES_S = 0.2
LOOK_S = 0.05
PR_SET_CHILD_SUBREAPER = 36
PID_FILE = "up.pid"


class Stopped(Exception):
    """We were told to stop before we were ready."""


class Foreground:
    """One Runnerly under Circus, from start to stop."""

    def __init__(
        self, settings: Settings, documents: Mapping[str, Mapping[str, Any]], *, serve: str = ini.SERVE
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._serve = serve
        self._arbiter = Arbiter(settings.endpoint)
        self._circusd: subprocess.Popen[bytes] | None = None
        self._known: set[int] = set()
        self._told_to_stop = False

    def run(self) -> int:
        """Start, serve until SIGTERM or SIGINT, stop; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        adopt_orphans()
        try:
            self._start()
            (self._settings.run / PID_FILE).write_text(str(os.getpid()))
            click.echo(f"Runnerly is ready at {self._settings.process.url}")
            self._wait_for(lambda: False, None, "")
        except Stopped:
            return 0
        finally:
            self._end()
            (self._settings.run / PID_FILE).unlink(missing_ok=True)
        return 0

    def _stop(self, *_: object) -> None:
        self._told_to_stop = True

    # -- start

    def _start(self) -> None:
        settings, process = self._settings, self._settings.process
        for folder in (settings.run, process.home / "log", process.home / "mongo"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._await_ports()
        nginx = find_nginx(settings.circus.nginx)
        render_door(settings.door, nginx, self._documents)
        database_port = None if process.mongodb_uri else free_port()
        environ = self._environ(database_port)
        configuration = ini.render(
            settings, nginx=nginx, database_port=database_port, sandbox=not process.production, serve=self._serve
        )
        command = ini.tethered([sys.executable, "-m", "circus.circusd", str(configuration)], "TERM")
        self._circusd = subprocess.Popen(command, env=environ, start_new_session=True)  # noqa: S603 - our own
        self._known.add(self._circusd.pid)
        self._wait_for(self._arbiter.answers, CIRCUS_S, "circusd")
        if database_port is not None:
            self._wait_for(lambda: not is_free("127.0.0.1", database_port), DATABASE_S, "the database")
        if settings.circus.bootstrap:
            self._once("keys", "bootstrap", environ=environ)
            self._once("migrate", environ=environ)
        for watcher in (*settings.workers, "door"):
            self._arbiter.start(watcher)
        self._wait_for(lambda: is_healthy(settings.door.port), READY_S, "every service to answer through the door")

    def _await_ports(self) -> None:
        """One that was killed may still be finishing: give it time to let go of its ports."""
        door = self._settings.door
        until = time.monotonic() + (PORTS_S if (self._settings.run / PID_FILE).exists() else 0)
        for port, variable in ((door.port, "RUNNERLY_PORT"), (door.internal_port, "RUNNERLY_INTERNAL_PORT")):
            while not is_free(door.host, port):
                if time.monotonic() > until:
                    raise WrongSetting(f"Port {port} is taken: stop what listens there, or set {variable}")
                time.sleep(LOOK_S)

    def _environ(self, database_port: int | None) -> dict[str, str]:
        """The environment of everything that runs under us."""
        settings = self._settings
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "RUNNERLY_BEHIND_DOOR": "true"}
        environ |= {"RUNNERLY_HOME": str(settings.process.home), "RUNNERLY_DRAIN_S": str(settings.process.drain_s)}
        if database_port is not None:
            environ["MONGODB_URI"] = f"mongodb://127.0.0.1:{database_port}/?directConnection=true"
        if not settings.process.production:
            environ.setdefault("SMTP_URL", f"smtp://127.0.0.1:{settings.process.sandbox_smtp_port}")
        return environ

    def _once(self, *command: str, environ: dict[str, str]) -> None:
        """Run one of our commands to its end. Raises `WrongSetting` where it fails, after it said why."""
        started = subprocess.Popen(  # noqa: S603 - our own
            ini.tethered([sys.executable, "-m", "services", *command], "TERM"), env=environ, stdout=sys.stderr
        )
        self._known.add(started.pid)
        self._wait_for(lambda: started.poll() is not None, None, "")
        if started.returncode != 0:
            raise WrongSetting(f"`runnerly {' '.join(command)}` failed")

    def _wait_for(self, condition: Callable[[], bool], within_s: float | None, what: str) -> None:
        """Return when the condition holds. Raises `Stopped` when told to stop, `WrongSetting` when it takes too long."""
        until = None if within_s is None else time.monotonic() + within_s
        while not condition():
            if self._told_to_stop:
                raise Stopped
            if self._circusd is not None and self._circusd.poll() is not None:
                raise WrongSetting("circusd ended: its last words are above")
            if until is not None and time.monotonic() > until:
                raise WrongSetting(f"Waited {within_s:.0f} s in vain for {what}: see the log above and {self._logs}")
            bury_orphans(self._known)
            time.sleep(LOOK_S)

    @property
    def _logs(self) -> Path:
        return self._settings.process.home / "log"

    # -- stop

    def _end(self) -> None:
        """Close the door, let the services finish, then the rest; what does not go by itself is killed."""
        until = time.monotonic() + STOP_S
        circusd = self._circusd
        if circusd is not None and circusd.poll() is None:
            try:
                self._arbiter.stop("door", wait=False)
                time.sleep(DOOR_CLOSES_S)
                self._arbiter.stop(*self._settings.workers)
                self._arbiter.quit()
            except Refused:
                circusd.terminate()
        while children():
            if time.monotonic() > until:
                for child in children():
                    os.kill(child, signal.SIGKILL)
            bury_orphans(known=())
            time.sleep(LOOK_S)


def adopt_orphans() -> None:
    """Become the parent of whatever our children leave behind (prctl(2)), as process 1 of a container is anyway."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """Our children, adopted ones among them (proc(5))."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def bury_orphans(known: Collection[int]) -> None:
    """Reap dead children that nobody else waits for; the `known` ones are waited for."""
    with suppress(ChildProcessError):
        while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if dead.si_pid in known:
                return
            os.waitpid(dead.si_pid, 0)


def is_healthy(port: int) -> bool:
    """Whether a worker of every service answers through the door."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
            connection.request("GET", "/__lbheartbeat__")
            return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on the port."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_nginx(named: str) -> str:
    """The nginx to use. Raises `WrongSetting` where there is none."""
    candidates: Sequence[str] = [named] if named else ["openresty", "nginx", "/usr/sbin/nginx"]
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    raise WrongSetting(
        "There is no nginx here. On Debian: apt-get install nginx libnginx-mod-http-lua lua-cjson. "
        "Or say where yours is: RUNNERLY_NGINX=/path/to/nginx. (`make run` needs none.)"
    )
