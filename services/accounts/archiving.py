"""From what each service gave (a tar archive) to one ZIP with a manifest, in a thread and in little memory.

Both formats are the standard library's, which reads and writes without waiting for anybody; what it reads from and writes to
does wait, on the loop. So the thread hands over to the loop and back, a quarter of a megabyte at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, Any, TypeVar, cast

import msgspec

from services.accounts.domain.exports import FileTold, Manifest, ServiceTold
from services.chassis.holdings import FORMAT, MANIFEST, VERSION

T = TypeVar("T")

PIECE = 256 * 1024
STUCK_S = 60.0
READ_ONLY_BY_ITS_OWNER = 0o600 << 16
ZIP64_FROM = 2**31

Write = Callable[[bytes], Awaitable[None]]


class BadPart(Exception):
    """What a service gave is no archive, ends before its end, or has files that can't be in ours."""


class _Stopped(Exception):
    """Nobody waits for this archive any more."""


async def pack(parts: Mapping[str, AsyncIterator[bytes]], write: Write, made_at: datetime) -> Manifest:
    """Write the ZIP of these services' parts. Raises `BadPart`, and whatever reading and writing raise."""
    loop = _Loop(asyncio.get_running_loop())
    packing = _Packing(loop, write, made_at)
    try:
        return await asyncio.to_thread(packing.run, parts)
    finally:
        loop.stopped = True


class _Loop:
    """The loop, as the thread sees it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.stopped = False

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the loop do something, and wait for it."""
        if self.stopped:
            work.close()
            raise _Stopped
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STUCK_S)


class _Source(io.RawIOBase):
    """Pieces that come over the loop, as a file to read."""

    def __init__(self, loop: _Loop, pieces: AsyncIterator[bytes]) -> None:
        super().__init__()
        self._loop, self._pieces, self._rest = loop, pieces, b""

    def readable(self) -> bool:
        """It is only read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; none at the end."""
        if not self._rest:
            self._rest = self._loop.wait_for(self._next())
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    async def _next(self) -> bytes:
        return await anext(self._pieces, b"")


class _Sink(io.RawIOBase):
    """A file that is written to over the loop. It can't be read, nor gone back in."""

    def __init__(self, loop: _Loop, write: Write) -> None:
        super().__init__()
        self._loop, self._write = loop, write
        self._waiting = bytearray()

    def writable(self) -> bool:
        """It is only written."""
        return True

    def write(self, content: Any) -> int:
        """Take some more."""
        self._waiting += content
        if len(self._waiting) >= PIECE:
            self.flush()
        return len(content)

    def flush(self) -> None:
        """Hand over what waits."""
        if self._waiting:
            piece, self._waiting = bytes(self._waiting), bytearray()
            self._loop.wait_for(self._handed_over(piece))

    async def _handed_over(self, piece: bytes) -> None:
        await self._write(piece)


class _Packing:
    """One ZIP in the making, in the thread."""

    def __init__(self, loop: _Loop, write: Write, made_at: datetime) -> None:
        self._loop, self._write, self._made_at = loop, write, made_at
        self._files: dict[str, FileTold] = {}

    def run(self, parts: Mapping[str, AsyncIterator[bytes]]) -> Manifest:
        """Write it all."""
        sink = _Sink(self._loop, self._write)
        with zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_DEFLATED) as archive:
            services = tuple(self._add_service(archive, name, pieces) for name, pieces in parts.items())
            files = tuple(self._files.values())
            manifest = Manifest(format=FORMAT, version=VERSION, made_at=self._made_at, services=services, files=files)
            document = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
            self._add(archive, MANIFEST, io.BytesIO(document), len(document))
        sink.flush()
        return manifest

    def _add_service(self, archive: zipfile.ZipFile, name: str, pieces: AsyncIterator[bytes]) -> ServiceTold:
        source = io.BufferedReader(_Source(self._loop, pieces), PIECE)
        before = len(self._files)
        try:
            with tarfile.open(fileobj=source, mode="r|", bufsize=PIECE) as given:
                for member in given:
                    content = given.extractfile(member)
                    if content is None:
                        raise BadPart(f"{name} gave {member.name!r}, which is no file")
                    self._add(archive, member.name, content, member.size)
                    given.members = []  # type: ignore[attr-defined]  # it would remember every one
        except (tarfile.TarError, EOFError) as failure:
            raise BadPart(f"What {name} gave ends too early") from failure
        added = list(self._files.values())[before:]
        return ServiceTold(name, len(added), sum(file.bytes for file in added))

    def _add(self, archive: zipfile.ZipFile, path: str, content: IO[bytes], size: int) -> None:
        if path in self._files or path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise BadPart(f"An archive can't have {path!r} (twice)")
        entry = zipfile.ZipInfo(path, self._made_at.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_STORED if path.endswith(".gz") else zipfile.ZIP_DEFLATED
        entry.external_attr = READ_ONLY_BY_ITS_OWNER
        entry.file_size = size
        digest = hashlib.sha256()
        with archive.open(entry, "w", force_zip64=size >= ZIP64_FROM) as written:
            while piece := content.read(PIECE):
                digest.update(piece)
                written.write(piece)
        self._files[path] = FileTold(path, size, digest.hexdigest())
