"""A private RabbitMQ for tests: Debian's broker with its own data, node, ports and epmd, all on loopback.

It runs as whoever runs the tests: the scripts in `/usr/lib/rabbitmq/bin` ask for no user of their own, only for
directories that can be written to. Its epmd would outlive it as a daemon, so we run that ourselves, too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.missing import missing
from tests.support.processes import Child, accepts, free_port, wait_until

SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTED = "Server startup complete"


class RabbitServer:
    """One broker. What it confirmed outlives `kill`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._log = home / "log"
        self._child: Child | None = None
        self._epmd: Child | None = None
        self._epmd_port, self._node_port = free_port(), free_port()
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def launch(self) -> None:
        """Start it (again) on the same port and data, without waiting for it."""
        if self._epmd is None:
            epmd = [shutil.which("epmd") or "epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)]
            self._epmd = Child(epmd, log=self._home / "epmd.log")
            (self._home / "plugins").write_text("[].")
            settings = f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
            (self._home / "rabbitmq.conf").write_text(settings)
        self._log.write_text("")
        self._child = Child([str(SCRIPT)], log=self._log, env=self._environment())

    def ready(self) -> bool:
        """Whether it takes connections; fails when it has ended instead."""
        assert self._child is not None
        assert self._child.alive, f"the broker ended at its start:\n{self._log.read_text()}"
        return STARTED in self._log.read_text() and accepts(self.port)

    def start(self) -> None:
        """Launch it and return when it is ready."""
        self.launch()
        wait_until(self.ready, within_s=60, what="the broker's start")

    def kill(self) -> None:
        """`kill -9` it."""
        if self._child:
            self._child.kill()

    def close(self) -> None:
        """Leave nothing behind."""
        self.kill()
        if self._epmd:
            self._epmd.kill()

    def _environment(self) -> dict[str, str]:
        home = self._home
        return {
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "logs"),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            # As an operator would start it, the broker is a child of its script, and would outlive the tests with us killed.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        }


@pytest.fixture(scope="session")
def rabbitmq(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """The session's broker; whoever kills it starts it again."""
    if not SCRIPT.exists() or not shutil.which("epmd"):
        missing(request.config, "RabbitMQ is not installed (on Debian: apt-get install rabbitmq-server)")
    server = RabbitServer(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.close()
