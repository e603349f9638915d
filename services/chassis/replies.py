"""From what a verb returned to what goes over the wire: format, version, place, name. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from services.chassis import negotiation
from services.chassis.answers import Answer, File, Items, Page, Reply
from services.chassis.negotiation import JSON, MSGPACK

ENCODERS = {JSON: msgspec.json.Encoder().encode, MSGPACK: msgspec.msgpack.Encoder().encode}
NOT_MODIFIED = 304


def reply(answer: Answer[Any], status: int, media_type: str, *, is_read: bool) -> Reply:
    """The reply of an answer, in a format.

    `status` is the operation's own. A thing with a version has the ETag of that version, a list that is read has one of its
    content.
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
    elif is_read and isinstance(value, Page | Items | list):
        headers["Etag"] = negotiation.content_tag(body, media_type)
    return Reply(status, headers, body)


def unless_held(reply: Reply, if_none_match: str | None) -> Reply:
    """The reply to a reader; 304 to one that holds it already (`if_none_match`)."""
    tag = reply.headers.get("Etag")
    if tag is not None and negotiation.has_current(if_none_match, tag):
        return Reply(NOT_MODIFIED, reply.headers)
    return reply


def _file(file: File, status: int, headers: dict[str, str]) -> Reply:
    headers["Content-Type"] = file.media_type
    if file.filename is not None:
        headers["Content-Disposition"] = attachment(file.filename)
    return Reply(status, headers, file.content)


def attachment(filename: str) -> str:
    """The header that makes a browser save a file under its name, any script included (RFC 6266, RFC 8187)."""
    plain = "".join(c if c.isalnum() or c in "._- " else "_" for c in filename if c.isascii()) or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
