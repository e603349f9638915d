"""Starts Runnerly under Circus in the foreground, says when it is ready, and stops all of it in order.

Everything hangs on this process: circusd gets SIGTERM when it dies, and what circusd runs gets SIGTERM when circusd does.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from deploy.circus import ini
from deploy.circus.arbiter import Arbiter, Deaths, Refused
from deploy.circus.children import LOOK_S, adopt_orphans, bury_orphans, end_all, tethered
from deploy.circus.nginx import find_nginx
from deploy.circus.settings import Settings
from deploy.circus.waiting import Workers, is_healthy
from services.chassis.settings import WrongSetting
from services.command.database import claimed
from services.command.main import EXIT_CONFIGURATION
from services.command.ports import free_port, is_free

PREPARE = (sys.executable, "-m", "deploy.circus.prepare")
CIRCUS_S, DATABASE_S, READY_S = 15.0, 60.0, 90.0
PORTS_S = 10.0
STOP_S = 9.5
LOOK_WHILE_SERVING_S = 0.2
DOOR_CLOSES_S = 0.2
PID_FILE = "up.pid"


class Stopped(Exception):
    """We were told to stop."""


class Failed(Exception):
    """It did not come up, or fell; the settings may be right all the same."""


class Foreground:
    """One Runnerly under Circus, from start to stop. `prepare` is run before anything serves, `serve` is each worker."""

    def __init__(self, settings: Settings, *, prepare: Sequence[str] = PREPARE, serve: str = ini.SERVE) -> None:
        self._settings = settings
        self._prepare, self._serve = prepare, serve
        self._arbiter = Arbiter(settings.endpoint)
        self._circusd: subprocess.Popen[bytes] | None = None
        self._known: set[int] = set()
        self._told_to_stop = False
        self._log: Path | None = None

    def run(self) -> int:
        """Start, serve until SIGTERM or SIGINT, stop; returns the exit code. Raises `WrongSetting`, `Failed`."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        adopt_orphans()
        with ExitStack() as stack:
            try:
                self._start(stack)
                self._say_ready()
                self._wait_for(lambda: False, None, look_s=LOOK_WHILE_SERVING_S)
            except Stopped:
                pass
            finally:
                self._end()
        return 0

    def _stop(self, *_: object) -> None:
        self._told_to_stop = True

    # -- start

    def _start(self, stack: ExitStack) -> None:
        settings, process = self._settings, self._settings.process
        for folder in (settings.run, process.home / "log", *([] if process.mongodb_uri else [process.home / "mongo"])):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._await_ports()
        environ, database_port = self._environ(stack)
        nginx = find_nginx(settings.circus.nginx)
        configuration = ini.render(
            settings, nginx=nginx, database_port=database_port, sandbox=not process.production, serve=self._serve
        )
        self._circusd = self._spawn([sys.executable, "-m", "circus.circusd", str(configuration)], environ)
        self._wait_for(self._arbiter.answers, CIRCUS_S, lambda: "circusd")
        if database_port is not None:
            self._wait_for(lambda: not is_free(database_port, "127.0.0.1"), DATABASE_S, lambda: "the database")
        self._run_to_end(self._prepare, environ)
        deaths = Deaths(settings.events_endpoint)
        stack.callback(deaths.close)
        for watcher in (*settings.workers, *([] if process.production else ["sandbox"])):
            self._arbiter.start(watcher)
        workers = Workers(settings.door.socket(service) for service in settings.workers)
        self._wait_for(
            lambda: self._are_up(workers, deaths), READY_S, lambda: f"a worker of {', '.join(workers.silent)}"
        )
        self._arbiter.start("door")
        self._wait_for(lambda: is_healthy(settings.door.port), READY_S, lambda: "the door to open")

    def _are_up(self, workers: Workers, deaths: Deaths) -> bool:
        """Whether every service answers. Raises `WrongSetting` where one said that it can't with these settings."""
        if (service := deaths.with_exit_code(EXIT_CONFIGURATION)) is not None:
            raise WrongSetting(f"{service} can't start with these settings: what to set is said {self._where}")
        return workers.all_answered()

    def _await_ports(self) -> None:
        """One that was killed may still be finishing: give it time to let go of its ports."""
        door = self._settings.door
        until = time.monotonic() + (PORTS_S if (self._settings.run / PID_FILE).exists() else 0)
        for port, variable in ((door.port, "RUNNERLY_PORT"), (door.internal_port, "RUNNERLY_INTERNAL_PORT")):
            while not is_free(port, door.host):
                if time.monotonic() > until or self._told_to_stop:
                    raise WrongSetting(f"Port {port} is taken: stop what listens there, or set {variable}")
                time.sleep(LOOK_S)

    def _environ(self, stack: ExitStack) -> tuple[dict[str, str], int | None]:
        """The environment of everything that runs under us, and the port of our own database where there is one."""
        process = self._settings.process
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environ |= {"RUNNERLY_HOME": str(process.home), "RUNNERLY_DRAIN_S": str(process.drain_s)}
        if not process.production:
            environ.setdefault("SMTP_URL", f"smtp://127.0.0.1:{process.sandbox_smtp_port}")
        if process.mongodb_uri:
            return environ, None
        mine, _ = stack.enter_context(claimed(self._settings.run / "database"))
        if mine is None:
            raise WrongSetting(f"Another Runnerly runs from {process.home}: stop it, or set RUNNERLY_HOME")
        port = free_port()
        environ["MONGODB_URI"] = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        mine.write(environ["MONGODB_URI"])
        mine.flush()
        return environ, port

    def _spawn(self, command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start one of our own commands, in a session of its own: Ctrl-C reaches only us."""
        with ExitStack() as stack:
            output = self._output(stack)
            spawned = subprocess.Popen(  # noqa: S603 - our own
                tethered(command), env=environ, start_new_session=True, stdout=output, stderr=output
            )
        self._known.add(spawned.pid)
        return spawned

    def _output(self, stack: ExitStack) -> int | None:
        """Where all of it logs: our own standard output, or a file where that is somebody's terminal."""
        if sys.stdout.isatty():
            self._log = self._settings.process.home / "log" / "runnerly.log"
            return stack.enter_context(self._log.open("ab")).fileno()
        if stat.S_ISREG(os.fstat(1).st_mode):  # nginx opens it again: nobody may write where another has written
            fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
        return None

    def _run_to_end(self, command: Sequence[str], environ: dict[str, str]) -> None:
        """Run one of our commands. Raises `WrongSetting` where it fails, after it said why."""
        started = self._spawn(command, environ)
        self._wait_for(lambda: started.poll() is not None, None)
        if started.returncode == EXIT_CONFIGURATION:
            raise WrongSetting(f"What to set is said {self._where}")
        if started.returncode != 0:
            raise Failed(f"It could not be prepared: why is said {self._where}")

    def _wait_for(
        self,
        condition: Callable[[], bool],
        within_s: float | None,
        what: Callable[[], str] = str,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        """Return when the condition holds. Raises `Stopped` when told to stop, `Failed` when it takes too long."""
        until = None if within_s is None else time.monotonic() + within_s
        while not condition():
            if self._told_to_stop:
                raise Stopped
            if self._circusd is not None and self._circusd.poll() is not None:
                raise Failed(f"circusd ended: its last words are {self._where}")
            if until is not None and time.monotonic() > until:
                logs = self._settings.process.home / "log"
                raise Failed(f"Waited {within_s:.0f} s in vain for {what()}: see {self._where} and {logs}")
            bury_orphans(self._known)
            time.sleep(look_s)

    @property
    def _where(self) -> str:
        return f"in {self._log}" if self._log else "above"

    def _say_ready(self) -> None:
        process = self._settings.process
        (self._settings.run / PID_FILE).write_text(str(os.getpid()))
        if self._log:
            click.echo(f"Logs are in {self._log}")
        if not process.production:
            click.echo(f"Mail for everybody arrives at http://127.0.0.1:{process.sandbox_port}/mailbox")
        click.echo(f"Runnerly is ready at {process.url}")

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
        end_all(until)
        (self._settings.run / PID_FILE).unlink(missing_ok=True)
