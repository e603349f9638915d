"""From what a verb returned to what goes over the wire: format, version, place, name, part. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from services.chassis import negotiation
from services.chassis.answers import Answer, Download, File, Stream
from services.chassis.negotiation import JSON, MSGPACK
from services.chassis.ranges import part_asked_for

ENCODERS = {JSON: msgspec.json.Encoder().encode, MSGPACK: msgspec.msgpack.Encoder().encode}


class Reply(Struct, frozen=True):
    """An answer as it goes over the wire: kept as it is for an `Idempotency-Key`."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Streamed(Struct, frozen=True):
    """A reply whose body is sent as it comes; None where only its headers are asked for."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes] | None


def reply(answer: Answer[Any], status: int, media_type: str, *, is_read: bool) -> Reply:
    """The reply of an answer, in a format.

    `status` is the operation's own. A thing with a version has the ETag of that version, anything else that is read has one
    of its content.
    """
    value, headers = answer.value, dict(answer.headers)
    status = answer.status or status
    if answer.location is not None:
        headers["Location"] = answer.location
    if value is None:
        return Reply(status, headers)
    if isinstance(value, File):
        return _file(value, status, headers)
    headers["Content-Type"] = media_type
    body = ENCODERS[media_type](value)
    if answer.version is not msgspec.UNSET:
        headers["Etag"] = negotiation.version_tag(answer.version, media_type)
    elif is_read:
        headers["Etag"] = negotiation.content_tag(body, media_type)
    return Reply(status, headers, body)


def unless_held(reply: Reply, if_none_match: str | None) -> Reply:
    """The reply to a reader; 304 to one that holds it already (`if_none_match`)."""
    tag = reply.headers.get("Etag")
    if tag is not None and negotiation.has_current(if_none_match, tag):
        return Reply(HTTPStatus.NOT_MODIFIED, reply.headers)
    return reply


def _file(file: File, status: int, headers: dict[str, str]) -> Reply:
    headers["Content-Type"] = file.media_type
    if file.filename is not None:
        headers["Content-Disposition"] = attachment(file.filename)
    return Reply(status, headers, file.content)


def as_it_comes(stream: Stream) -> Streamed:
    """The reply of a stream."""
    headers = {**stream.headers, "Content-Type": stream.media_type}
    if stream.filename is not None:
        headers["Content-Disposition"] = attachment(stream.filename)
    return Streamed(HTTPStatus.OK, headers, stream.chunks)


def downloaded(download: Download, asked: Mapping[str, str], method: str) -> Streamed:
    """The reply of a download: all of it, or the part that `Range` and `If-Range` ask for. Raises `RangeNotSatisfiable`."""
    tag = f'"{download.tag}"'
    part = part_asked_for(asked.get("Range") if asked.get("If-Range", tag) == tag else None, download.size)
    headers = {
        "Content-Type": download.media_type,
        "Content-Disposition": attachment(download.filename),
        "Content-Length": str(part.end - part.start),
        "Accept-Ranges": "bytes",
        "Etag": tag,
        "Cache-Control": "private, no-store",
    }
    chunks = None if method == "HEAD" else download.read(part.start, part.end)
    if part.is_whole:
        return Streamed(HTTPStatus.OK, headers, chunks)
    return Streamed(HTTPStatus.PARTIAL_CONTENT, {**headers, "Content-Range": part.content_range}, chunks)


def attachment(filename: str) -> str:
    """The header that makes a browser save a file under its name, any script included (RFC 6266, RFC 8187)."""
    plain = "".join(c if c.isalnum() or c in "._- " else "_" for c in filename if c.isascii()) or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
