"""Seeing that something is there: a port, a worker behind a socket, all of them through the door."""

from __future__ import annotations

import http.client
import select
import socket
from collections.abc import Iterable
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

QUESTION = b"GET /__lbheartbeat__ HTTP/1.0\r\nHost: localhost\r\n\r\n"
ANSWER = b"HTTP/1.1 200 "


class Workers:
    """Asks one worker of each service whether it is there, once: the question waits in the socket until one comes up."""

    def __init__(self, sockets: Iterable[Path]) -> None:
        self._asked = {_ask(path): path for path in sockets}

    def all_answered(self) -> bool:
        """Whether every one did. One that fell over the question is asked again."""
        readable, _, _ = select.select(list(self._asked), [], [], 0)
        for connection in readable:
            path = self._asked.pop(connection)
            with closing(connection):
                if not connection.recv(len(ANSWER)).endswith(b" 200 "):
                    self._asked[_ask(path)] = path
        return not self._asked

    @property
    def silent(self) -> list[str]:
        """Those that have not answered yet, by name."""
        return sorted(path.stem for path in self._asked.values())


def _ask(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    connection.sendall(QUESTION)
    return connection


def is_healthy(port: int) -> bool:
    """Whether a worker of every service answers through the door."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
            connection.request("GET", "/__lbheartbeat__")
            return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
