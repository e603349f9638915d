"""The folder that mail is kept in: one `.eml` file a message, on the disk before it counts as taken.

A message is written beside the folder, flushed, renamed into it, and the folder flushed: after `keep` returns, neither
`kill -9` nor a power cut loses it, and a half-written one is never seen. What reads it is an index in memory, made
from the files at start. Everything here blocks: call it from a thread.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from msgspec import Struct

from services.chassis.problems import NotFound

MESSAGE_ID = re.compile(r"^\d{19}-[0-9a-f]{8}$")
DELIVERED_TO, RETURN_PATH = b"Delivered-To: ", b"Return-Path: "


class Stored(Struct, frozen=True):
    """A message as it was taken: who it was delivered to, and its bytes as they were sent."""

    id: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def received_at(self) -> datetime:
        """When it was taken, to the microsecond; the id says so."""
        seconds, nanoseconds = divmod(int(self.id.split("-")[0]), 10**9)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)


class Folder:
    """Messages on disk, found by recipient, newest first; past `limit` of them the oldest go."""

    def __init__(self, path: Path, *, limit: int) -> None:
        self._messages, self._unfinished, self._limit = path / "messages", path / "unfinished", limit
        self._lock = Lock()
        self._last_ns = 0
        self._ids: list[str] = []
        self._recipients: dict[str, tuple[str, ...]] = {}
        self._by_recipient: dict[str, list[str]] = defaultdict(list)
        self._open()

    def keep(self, sender: str, recipients: Iterable[str], content: bytes) -> str:
        """Store a message and return its id once it is safe. Raises `OSError` when it can't be."""
        message_id, recipients = self._next_id(), tuple(recipients)
        self._write(message_id, _envelope(sender, recipients) + content)
        with self._lock:
            self._enter(message_id, recipients)
            surplus = self._ids[: max(0, len(self._ids) - self._limit)]
        for old in surplus:
            self.remove(old)
        return message_id

    def newest(self, limit: int, to: str | None = None) -> list[str]:
        """The ids of the newest messages, newest first, of one recipient where `to` is given."""
        with self._lock:
            ids = self._ids if to is None else self._by_recipient.get(to.lower(), [])
            return ids[: -limit - 1 : -1]

    def read(self, message_id: str) -> Stored:
        """One message. Raises `NotFound`."""
        try:
            with self._path(message_id).open("rb") as file:
                return Stored(message_id, _recipients(file), file.read())
        except FileNotFoundError as missing:
            raise NotFound("There is no such message") from missing

    def remove(self, message_id: str) -> None:
        """Throw a message away; one that is not there is no error."""
        self._path(message_id).unlink(missing_ok=True)
        with self._lock:
            self._leave(message_id)

    def clear(self, to: str | None = None) -> None:
        """Throw everything away, of one recipient where `to` is given."""
        for message_id in self.newest(len(self._ids), to):
            self.remove(message_id)

    def _open(self) -> None:
        for path in (self._messages, self._unfinished):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in self._unfinished.iterdir():
            leftover.unlink()
        for path in sorted(self._messages.glob("*.eml")):
            if MESSAGE_ID.match(path.stem):
                with path.open("rb") as message:
                    self._enter(path.stem, _recipients(message))
        self._last_ns = int(self._ids[-1].split("-")[0]) if self._ids else 0

    def _next_id(self) -> str:
        """An id that sorts by arrival: nanoseconds since 1970, never twice the same."""
        with self._lock:
            self._last_ns = max(time.time_ns(), self._last_ns + 1)
            return f"{self._last_ns:019d}-{secrets.token_hex(4)}"

    def _write(self, message_id: str, content: bytes) -> None:
        unfinished = self._unfinished / message_id
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self._path(message_id))
        folder = os.open(self._messages, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _path(self, message_id: str) -> Path:
        if not MESSAGE_ID.match(message_id):
            raise NotFound("There is no such message")
        return self._messages / f"{message_id}.eml"

    def _enter(self, message_id: str, recipients: tuple[str, ...]) -> None:
        insort(self._ids, message_id)
        self._recipients[message_id] = tuple({recipient.lower() for recipient in recipients})
        for recipient in self._recipients[message_id]:
            insort(self._by_recipient[recipient], message_id)

    def _leave(self, message_id: str) -> None:
        if message_id not in self._recipients:
            return
        self._ids.remove(message_id)
        for recipient in self._recipients.pop(message_id):
            self._by_recipient[recipient].remove(message_id)
            if not self._by_recipient[recipient]:
                del self._by_recipient[recipient]


def _envelope(sender: str, recipients: Iterable[str]) -> bytes:
    """The SMTP envelope as the lines that a final delivery adds (RFC 5321, 4.4). The sender's ends it."""
    lines = [
        *(DELIVERED_TO + _bytes(recipient) for recipient in recipients),
        RETURN_PATH + b"<" + _bytes(sender) + b">",
    ]
    return b"".join(line + b"\r\n" for line in lines)


def _bytes(address: str) -> bytes:
    return address.encode(errors="surrogateescape")


def _recipients(file: BinaryIO) -> tuple[str, ...]:
    """The recipients in the envelope; leaves the file where the message itself begins."""
    found: list[str] = []
    while (line := file.readline()).startswith(DELIVERED_TO):
        found.append(line.removeprefix(DELIVERED_TO).decode(errors="replace").strip())
    return tuple(found)
