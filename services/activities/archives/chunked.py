"""What `zipfile` reads archives through: a file that is kept in chunks elsewhere, and a part of another file."""

from __future__ import annotations

import errno
import io
from collections import OrderedDict
from collections.abc import Callable
from typing import BinaryIO

KEPT_CHUNKS = 4
BUFFER = 64 * 1024


class _Readable(io.RawIOBase):
    """A file of a known length, and where in it is read next."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "There is nothing before the beginning")  # as of a real file
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The place where it is read next."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read some of what comes next, at least a byte where there is one."""
        wanted = min(len(buffer), max(0, self._length - self._at))
        piece = self._piece(self._at, wanted) if wanted else b""
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _piece(self, begin: int, wanted: int) -> bytes:
        """Up to so many bytes from there on."""
        raise NotImplementedError


class ChunkedFile(_Readable):
    """A file whose chunk of a number `fetch` gives, all of one size but the last. It may take its time."""

    def __init__(self, length: int, chunk_bytes: int, fetch: Callable[[int], bytes]) -> None:
        super().__init__(length)
        self._chunk_bytes = chunk_bytes
        self._fetch = fetch
        self._chunks: OrderedDict[int, bytes] = OrderedDict()

    def _piece(self, begin: int, wanted: int) -> bytes:
        number, within = divmod(begin, self._chunk_bytes)
        return self._chunk(number)[within : within + wanted]

    def _chunk(self, number: int) -> bytes:
        if number not in self._chunks:
            self._chunks[number] = self._fetch(number)
            if len(self._chunks) > KEPT_CHUNKS:
                self._chunks.popitem(last=False)
        self._chunks.move_to_end(number)
        return self._chunks[number]


class Window(_Readable):
    """A part of another file: an archive that is kept as it is inside another one."""

    def __init__(self, file: BinaryIO, begin: int, length: int) -> None:
        super().__init__(length)
        self._file = file
        self._begin = begin

    def _piece(self, begin: int, wanted: int) -> bytes:
        self._file.seek(self._begin + begin)
        return self._file.read(wanted)


def buffered(raw: io.RawIOBase) -> BinaryIO:
    """A file that reads as much as it is asked for."""
    return io.BufferedReader(raw, BUFFER)
