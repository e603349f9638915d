"""GELF receivers, written by hand from the specification (GELF 1.1), so that they share no code with what they check.

They keep what they receive in `messages`, and refuse what a Graylog would take and show badly: `violations` says what is
wrong with a message. Graylog's own reader and others accept a message without a `short_message`; these don't.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import threading
import time
import zlib
from typing import Any, Self

Message = dict[str, Any]

CHUNK_MAGIC, GZIP_MAGIC = b"\x1e\x0f", b"\x1f\x8b"
CHUNK_HEADER = 12
MOST_CHUNKS = 128
CHUNKS_WITHIN_S = 5.0
OWN_FIELDS = {"version", "host", "short_message", "full_message", "timestamp", "level"}
ADDITIONAL_FIELD = re.compile(r"_[\w.-]+")


def violations(message: Message) -> list[str]:
    """What in the message is not GELF 1.1."""
    wrong = []
    if message.get("version") != "1.1":
        wrong.append("version must be 1.1")
    for required in ("host", "short_message"):
        if not isinstance(message.get(required), str) or not message[required]:
            wrong.append(f"{required} must be a text")
    if not isinstance(message.get("timestamp"), int | float):
        wrong.append("timestamp must be seconds since 1970")
    if message.get("level") not in range(8):
        wrong.append("level must be a syslog level")
    for name, value in message.items():
        if name not in OWN_FIELDS and (not ADDITIONAL_FIELD.fullmatch(name) or name == "_id"):
            wrong.append(f"{name} is no name for an additional field")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            wrong.append(f"{name} must be a text or a number")
    return wrong


def decode(payload: bytes) -> Message:
    """A whole payload, plain, gzip or zlib."""
    if payload[:2] == GZIP_MAGIC:
        payload = gzip.decompress(payload)
    elif payload[0] == 0x78 and (payload[0] << 8 | payload[1]) % 31 == 0:  # RFC 1950, 2.2
        payload = zlib.decompress(payload)
    message = json.loads(payload)
    assert isinstance(message, dict)
    return message


class Chunks:
    """Puts chunked messages together, as they come, in any order."""

    def __init__(self) -> None:
        self._parts: dict[bytes, tuple[float, int, dict[int, bytes]]] = {}

    def take(self, datagram: bytes) -> bytes | None:
        """The whole payload when this was its last missing chunk."""
        if datagram[:2] != CHUNK_MAGIC:
            return datagram
        name, number, count = datagram[2:10], datagram[10], datagram[11]
        if not (0 < count <= MOST_CHUNKS and number < count):
            return None  # Graylog drops it
        began, _, parts = self._parts.setdefault(name, (time.monotonic(), count, {}))
        parts[number] = datagram[CHUNK_HEADER:]
        if time.monotonic() - began > CHUNKS_WITHIN_S:
            del self._parts[name]
            return None
        if len(parts) < count:
            return None
        del self._parts[name]
        return b"".join(parts[at] for at in range(count))


class Receiver:
    """What all have in common: a thread, the messages, and waiting for them."""

    scheme = ""
    port = 0

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._arrived = threading.Condition()
        self._running = True

    @property
    def url(self) -> str:
        """The GELF_URL of this receiver."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def wait_for(self, count: int, timeout_s: float = 60.0) -> list[Message]:
        """The messages, once there are so many; fails when they don't come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.messages) >= count, timeout_s), (
                f"{len(self.messages)} of {count} messages came"
            )
            return list(self.messages)

    def _keep(self, payload: bytes) -> None:
        with self._arrived:
            self.messages.append(decode(payload))
            self._arrived.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop receiving."""
        raise NotImplementedError


class UdpReceiver(Receiver):
    """GELF over UDP."""

    scheme = "udp"

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self.datagrams: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.settimeout(0.05)
        self._socket.bind(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        chunks = Chunks()
        while self._running:
            try:
                datagram = self._socket.recv(65536)
            except TimeoutError:
                continue
            self.datagrams.append(datagram)
            if (payload := chunks.take(datagram)) is not None:
                self._keep(payload)

    def close(self) -> None:
        self._running = False
        self._thread.join()
        self._socket.close()


class TcpReceiver(Receiver):
    """GELF over TCP, or over TLS where a context is given: frames that end in a null byte."""

    def __init__(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.scheme = "tls" if tls else "tcp"
        self.accepted = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while self._running:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.accepted += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
        except OSError:  # a client that does not trust us
            connection.close()
            return
        connection.settimeout(0.05)
        self._connections.append(connection)
        rest = b""
        while self._running:
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not received:
                break
            *frames, rest = (rest + received).split(b"\0")
            for frame in frames:
                self._keep(frame)
        connection.close()

    def close(self) -> None:
        """Hang up on everybody and stop listening."""
        self._running = False
        for thread in self._threads:
            thread.join()
        self._listener.close()


class DeafServer:
    """Something that lets everybody connect (the kernel does), and never reads a byte."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1)
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
