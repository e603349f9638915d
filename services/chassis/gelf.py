"""GELF 1.1 to Graylog, through graypy's handlers, from a thread that may wait (`services.chassis.lane`).

`GELF_URL` is `udp://host:port`, `tcp://host:port` or `tls://host:port?ca=/path/of/ca.pem` (with `cert=` and `key=` where
Graylog asks for a client certificate). Of graypy 2.1 we take the transports, and mend what would lose records: its TLS
handler needs `ssl.wrap_socket`, gone in Python 3.12; its sockets swallow errors; it says version 1.0; a message over 128
chunks vanishes. UDP tells nobody of a loss: choose TCP or TLS where records must arrive.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import graypy
from graypy.handler import GELF_MAX_CHUNK_NUMBER, SYSLOG_LEVELS, WAN_CHUNK, BaseGELFChunker
from msgspec import Struct

from services.chassis.log_records import Record, encode

CONNECT_S, SEND_S = 3.0, 5.0
# A UDP socket is made anew now and then, for its address may have moved and nobody would say so
UDP_SOCKET_S = 30.0
# Graylog's GELF TCP input refuses frames over 2 MiB by default
TCP_MAX_BYTES = 1_000_000
# graypy's 1420 are without the 12 bytes before each chunk; readers (go-gelf for one) take no datagram over 1420
CHUNK = WAN_CHUNK - 12
SHORT_MESSAGE = 200
NOTICE = 5  # of syslog (RFC 5424): for a level that a library made up
NUMBERS = {logging.getLevelName(number).lower(): syslog for number, syslog in SYSLOG_LEVELS.items()}


class Address(Struct, frozen=True):
    """Where Graylog listens, and how to speak to it."""

    scheme: str
    host: str
    port: int
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a `GELF_URL`; raises `ValueError` with a sentence where it can't be used."""
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        usable = parts.scheme in {"udp", "tcp", "tls"} and parts.hostname and parts.port
        if not usable or options.keys() - {"ca", "cert", "key"} or (options and parts.scheme != "tls"):
            raise ValueError(
                "GELF_URL must be udp://host:port, tcp://host:port or tls://host:port?ca=...&cert=...&key=..."
            )
        return cls(parts.scheme, parts.hostname or "", parts.port or 0, **options)


class Graylog:
    """Writes records to Graylog. Connects at the first one, and anew after an error."""

    def __init__(self, url: str, *, host: str | None = None) -> None:
        self._host = host or socket.gethostname()
        address = Address.parse(url)
        self._sender = Datagrams(address.host, address.port) if address.scheme == "udp" else Stream(address)

    def write(self, records: Sequence[Record]) -> None:
        """Send them; raises `OSError` where Graylog can't be reached, and then some may have arrived all the same."""
        self._sender.send_all([as_gelf(record, self._host) for record in records])

    def close(self) -> None:
        """Hang up."""
        self._sender.close()


class Connected:
    """What both senders have: a connection, made when it is needed, and let go of when it fails."""

    sock: socket.socket | None = None

    def _let_go(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock = None


class Datagrams(Connected, graypy.GELFUDPHandler):  # type: ignore[misc]  # graypy has no types
    """GELF over UDP: compressed, and chunked where it does not fit in a datagram."""

    def __init__(self, host: str, port: int, chunk_size: int = CHUNK) -> None:
        super().__init__(host, port, gelf_chunker=BaseGELFChunker(chunk_size))
        self.sock: socket.socket | None = None
        self._made_at = 0.0

    def makeSocket(self, timeout: float = CONNECT_S) -> socket.socket:  # noqa: N802, ARG002, RUF100 - graypy's name
        """A connected socket: the kernel then tells us of a port where nobody listens."""
        self._made_at = time.monotonic()
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM):
            made = socket.socket(family, kind, protocol)
            try:
                made.connect(address)
            except OSError as refused:
                made.close()
                failure = refused
            else:
                made.settimeout(SEND_S)
                return made
        raise failure or OSError("the name of the host has no address")

    def send_all(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Send each, in one datagram or in chunks."""
        for message in messages:
            self.send(fit(message, self.gelf_chunker.chunk_size * GELF_MAX_CHUNK_NUMBER, zlib.compress))

    def send(self, s: bytes) -> None:
        """Send one; raises `OSError`, where graypy would swallow it."""
        if self.sock is not None and time.monotonic() - self._made_at > UDP_SOCKET_S:
            self._let_go()
        try:
            self.sock = self.sock or self.makeSocket()
            whole = len(s) <= self.gelf_chunker.chunk_size
            for datagram in [s] if whole else self.gelf_chunker.chunk_message(s):
                self.sock.send(datagram)
        except OSError:
            self._let_go()
            raise


class Stream(Connected, graypy.GELFTLSHandler):  # type: ignore[misc]  # graypy has no types
    """GELF over TCP or TLS: frames that end in a null byte, uncompressed (GELF 1.1)."""

    def __init__(self, address: Address) -> None:
        super().__init__(address.host, address.port)
        self.sock: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None
        if address.scheme == "tls":
            self._tls = ssl.create_default_context(cafile=address.ca)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            if address.cert:
                self._tls.load_cert_chain(address.cert, address.key)

    def makeSocket(self, timeout: float = CONNECT_S) -> socket.socket:  # noqa: N802 - graypy's name
        """Connect, and check the certificate where it is TLS; in graypy this is `ssl.wrap_socket`, gone in 3.12."""
        plain = socket.create_connection((self.host, self.port), timeout)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        made = self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
        made.settimeout(SEND_S)
        return made

    def send_all(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Send all of them in one go."""
        self.send(b"".join([fit(message, TCP_MAX_BYTES) + b"\0" for message in messages]))

    def send(self, s: bytes) -> None:
        """Send whole frames; raises `OSError`, where graypy would swallow it.

        After an error the frames are sent again on a new connection: some may arrive twice, none is lost in silence.
        """
        if self.sock is not None and _is_gone(self.sock):
            self._let_go()
        try:
            self.sock = self.sock or self.makeSocket()
            self.sock.sendall(s)
        except OSError:
            self._let_go()
            raise


def as_gelf(record: Record, host: str) -> dict[str, Any]:
    """The GELF 1.1 message of a record: its fields are additional ones, each a string or a number."""
    said = str(record.fields.get("message", ""))
    message: dict[str, Any] = {
        "version": "1.1",
        "host": host,
        "short_message": f"{record.event}: {said}"[:SHORT_MESSAGE] if said else record.event,
        "timestamp": round(record.at, 3),
        "level": NUMBERS.get(record.level, NOTICE),
        "_event": record.event,
    }
    if record.exception:
        message["full_message"] = record.exception
    for name, value in record.fields.items():
        if value is not None and value != "":
            # `_id`, Graylog's own, can't occur: it is a reserved field
            message[f"_{name}"] = _plain(value)
    return message


def fit(message: Mapping[str, Any], at_most: int, pack: Callable[[bytes], bytes] = bytes) -> bytes:
    """The message in at most so many bytes: its longest texts are halved, and it is marked, rather than lost."""
    packed = pack(encode(message))
    cut = dict(message)
    while len(packed) > at_most:
        longest = max((name for name in cut if isinstance(cut[name], str)), key=lambda name: len(cut[name]))
        cut[longest] = cut[longest][: len(cut[longest]) // 2]
        cut["_truncated"] = 1
        packed = pack(encode(cut))
    return packed


def _plain(value: Any) -> str | int | float:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str | int | float) else encode(value).decode()


def _is_gone(connection: socket.socket) -> bool:
    """Whether the other side has hung up. Graylog never says anything, so that there is something to read means its end."""
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(SEND_S)
