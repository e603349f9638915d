"""The running circusd, spoken to over its socket."""

from __future__ import annotations

import json
import time
from typing import Any

import zmq
from circus.client import CircusClient
from circus.exc import CallError

BUSY_RETRY_S = 0.2


class Refused(Exception):
    """circusd did not do what it was told, or is not there."""


class Arbiter:
    """One circusd. Calls return when what they ask for is done."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def answers(self) -> bool:
        """Whether it takes commands."""
        try:
            self._tell("dstats", timeout_s=1)
        except Refused:
            return False
        return True

    def start(self, watcher: str) -> None:
        """Start a watcher."""
        self._tell("start", name=watcher, match="simple", waiting=True)

    def stop(self, *watchers: str, wait: bool = True) -> None:
        """Stop watchers, gracefully and all at once."""
        self._tell("stop", name=f"^({'|'.join(watchers)})$", match="regex", waiting=wait)

    def pids(self, watcher: str) -> set[int]:
        """The processes of a watcher."""
        return set(self._tell("list", name=watcher)["pids"])

    def grow(self, watcher: str, by: int) -> None:
        """Start more processes of it. What is taken away by a negative number are the oldest."""
        self._tell("incr" if by > 0 else "decr", name=watcher, nb=abs(by), waiting=True)

    def signal(self, watcher: str, signum: str) -> None:
        """Send a signal to its processes."""
        self._tell("signal", name=watcher, signum=signum)

    def quit(self) -> None:
        """Have it stop everything that is left, and itself; this does not wait for it."""
        self._tell("quit")

    def _tell(self, command: str, *, timeout_s: float = 30, **properties: Any) -> dict[str, Any]:
        until = time.monotonic() + timeout_s
        while True:
            answer = self._call(command, timeout_s, properties)
            if answer["status"] == "ok" or "pids" in answer:
                return answer
            # It does one thing at a time, and looks after its processes twice a second.
            if "already running" not in str(answer.get("reason")) or time.monotonic() > until:
                raise Refused(f"circusd would not {command} {properties}: {answer.get('reason')}")
            time.sleep(BUSY_RETRY_S)

    def _call(self, command: str, timeout_s: float, properties: dict[str, Any]) -> dict[str, Any]:
        client = CircusClient(endpoint=self._endpoint, timeout=timeout_s)
        try:
            answer: dict[str, Any] = client.send_message(command, **properties)
        except CallError as error:
            raise Refused(f"circusd does not answer on {self._endpoint}: {error}") from error
        finally:
            client.stop()
        return answer


class Deaths:
    """Hears of processes that end, from now on."""

    def __init__(self, endpoint: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.connect(endpoint)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"watcher.")

    def with_exit_code(self, code: int) -> str | None:
        """The watcher of one that ended with this exit code since the last call; None where none did."""
        while self._socket.poll(0):
            topic, message = self._socket.recv_multipart()
            watcher, event = topic.decode().split(".")[1:]
            if event == "reap" and json.loads(message).get("exit_code") == code:
                return watcher
        return None

    def close(self) -> None:
        """Hear no more."""
        self._socket.close(linger=0)
