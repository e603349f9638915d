"""Files that are sent to us: taken into memory, or, where they are too large for that, handed on as they come.

A verb that takes `upload: Upload` gets its bytes. An endpoint whose verb takes `received: Received` has an `intake()`, which
makes a sink once the caller is known. The file in the request (the part `file` of a form, or the body itself) is written to
it piece by piece, and the client is read no faster than the sink takes. What the verb does not take over is abandoned: a
refused request, one that was cut off, the answer to a repeated `Idempotency-Key`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser
from tornado.httputil import HTTPInputError, parse_multipart_form_data

from services.chassis.bodies import LINGER_LIMIT
from services.chassis.mongo import DatabaseAway, is_away
from services.chassis.problems import Invalid, Malformed, Problem, TooLarge, UnsupportedMedia

AS_IT_IS = frozenset({"application/octet-stream", "application/zip", "application/x-zip-compressed"})
LONGEST_NAME = 1000
MULTIPART_OVERHEAD = 64 * 1024


class Upload(Struct, frozen=True):
    """A file that was sent: its bytes, and the name it had on the sender's side ('' where it had none)."""

    content: bytes
    filename: str

    @property
    def told_apart_by(self) -> bytes:
        """What tells it from another file, whatever it is called."""
        return self.content


class Sink(Protocol):
    """Where a file goes while it comes."""

    async def write(self, chunk: bytes) -> None:
        """Take a piece; return when the next one may come."""

    async def abandon(self) -> None:
        """Keep nothing of it. It must be safe to call again."""


S = TypeVar("S", bound=Sink)


class Received(Generic[S]):
    """A file that has come whole: its sink, the name it had on the sender's side, and what it is told from others by."""

    def __init__(self, sink: S, filename: str, size: int, sha256: str) -> None:
        self._sink = sink
        self.filename = filename
        self.size = size
        self.sha256 = sha256
        self.taken = False

    @property
    def told_apart_by(self) -> bytes:
        """What tells it from another file, whatever it is called."""
        return self.sha256.encode()

    def take(self) -> S:
        """The sink, which is the taker's to look after from now on."""
        self.taken = True
        return self._sink


class StreamedBody:
    """One body on its way to a sink: a file of at most `limit` bytes, as it is or in a form.

    What is wrong with it is remembered in `refused`, and the rest thrown away.
    """

    def __init__(self, limit: int, content_type: str, filename: str, make: Callable[[], Sink]) -> None:
        self._limit = limit
        self._make = make
        self._sink: Sink | None = None
        self._filename = filename[:LONGEST_NAME]
        self._digest = hashlib.sha256()
        self._file_bytes = 0
        self._arrived = 0
        self._form: _Form | None = None
        self._received: Received[Any] | None = None
        self._writing = asyncio.Lock()
        self.refused: Problem | None = None
        try:
            self._form = _form_of(content_type)
        except Problem as problem:
            self.refused = problem

    def expect(self, length: int) -> None:
        """Refuse at once what says of itself that it is too large."""
        if length > self._limit + (MULTIPART_OVERHEAD if self._form else 0):
            self.refused = TooLarge.over(self._limit)

    def discard(self) -> None:
        """Keep nothing: the request was refused for another reason."""
        if self.refused is None:
            self.refused = Malformed()

    async def receive(self, chunk: bytes) -> bool:
        """Take in a chunk; False when so much came after a refusal that the connection is not worth keeping."""
        self._arrived += len(chunk)
        self.expect(self._arrived)
        if self.refused is None:
            try:
                async with self._writing:
                    await self._take(chunk)
            except Problem as problem:
                await self._refuse(problem)
            except Exception as error:
                if not is_away(error):
                    await self._refuse(Problem())
                    raise
                await self._refuse(DatabaseAway())
        return self.refused is None or self._arrived <= LINGER_LIMIT

    async def _take(self, chunk: bytes) -> None:
        pieces = [chunk] if self._form is None else self._form.pieces(chunk)
        for piece in pieces:
            if self._sink is None:
                self._sink = self._make()
            self._digest.update(piece)
            self._file_bytes += len(piece)
            if self._file_bytes > self._limit:
                raise TooLarge.over(self._limit)
            await self._sink.write(piece)

    async def _refuse(self, problem: Problem) -> None:
        self.refused = problem
        await self.close()

    def whole(self) -> Received[Any]:
        """The file, when the body has ended. Raises `Malformed` or `Invalid` where there is none."""
        if self._form is not None:
            self._filename = self._form.end()[:LONGEST_NAME]
        if self._sink is None:
            raise Invalid.field("file", "This file is empty")
        self._received = Received(self._sink, self._filename, self._file_bytes, self._digest.hexdigest())
        return self._received

    async def close(self) -> None:
        """Abandon what nobody has taken."""
        if self._received is not None and self._received.taken:
            return
        self.discard()
        async with self._writing:
            sink, self._sink = self._sink, None
            if sink is not None:
                await sink.abandon()


class _Form:
    """A multipart form (RFC 7578) of one part, `file`, read as it comes."""

    def __init__(self, boundary: str) -> None:
        self._parser = PushMultipartParser(boundary, max_segment_count=1, strict=True)
        self._filename: str | None = None

    def pieces(self, chunk: bytes) -> list[bytes]:
        """The pieces of the file in a chunk of the form. Raises `Malformed`, `Invalid`."""
        pieces = []
        try:
            for event in self._parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    if event.name != "file":
                        raise Invalid.field(event.name or "file", "This form has one part, `file`")
                    self._filename = event.filename or ""
                elif event:
                    pieces.append(bytes(event))
        except MultipartError:
            raise Malformed("The multipart form could not be read, or has more than one part") from None
        return pieces

    def end(self) -> str:
        """The name of the file. Raises `Malformed` where the form was cut off, `Invalid` where it has no file."""
        try:
            self._parser.close()
        except MultipartError:
            raise Malformed("The multipart form was cut off") from None
        if self._filename is None:
            raise Invalid.field("file", "Send one file")
        return self._filename


def boundary_of(content_type: str) -> str:
    """What sets the parts of a multipart form apart. Raises `UnsupportedMedia` for another type, `Malformed` without one."""
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise UnsupportedMedia("Send a multipart form with a part `file`, or the bytes as application/octet-stream")
    boundary = re.search(r'boundary=(?:"([^"]+)"|([^;\s]+))', content_type)
    if boundary is None:
        raise Malformed("The multipart form has no boundary")
    return boundary[1] or boundary[2]


def _form_of(content_type: str) -> _Form | None:
    """What reads a body of this type; None where it is the file as it is. Raises `UnsupportedMedia`, `Malformed`."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in AS_IT_IS:
        return None
    boundary = boundary_of(content_type)
    try:
        return _Form(boundary)
    except (MultipartError, UnicodeError):
        raise Malformed("The multipart form has an impossible boundary") from None


def decode_upload(body: bytes, content_type: str, filename: str) -> Upload:
    """The file in a request: the part `file` of a multipart form, or the body itself (then `filename` is its name).

    Raises `UnsupportedMedia` for another content type, `Malformed` for a broken form, `Invalid` for one without the part.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/octet-stream":
        return Upload(body, filename)
    return _part_of_form(body, boundary_of(content_type))


def _part_of_form(body: bytes, boundary: str) -> Upload:
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[Any]] = {}
    try:
        parse_multipart_form_data(boundary.encode(), body, arguments, files)
    except (HTTPInputError, ValueError, UnicodeError):
        raise Malformed("The multipart form could not be read") from None
    if unknown := [name for name in (*arguments, *files) if name != "file"]:
        raise Invalid.field(unknown[0], "This form has one part, `file`")
    if len(files.get("file", [])) != 1:
        raise Invalid.field("file", "Send one file")
    part = files["file"][0]
    return Upload(part["body"], part["filename"])
