"""Unpacking gzip (RFC 1952), with a limit on what comes out."""

from __future__ import annotations

import zlib

from services.activities.domain.problems import NotAnActivity
from services.activities.formats.limits import EXPANDED_BYTES

MAGIC = b"\x1f\x8b"
_PIECE = 16 * 1024  # what is behind a member is copied: all of the rest, at each of many, would take for ever
_GZIP_ONLY = 31  # zlib's window bits: the largest window, with gzip's header


def gunzipped(content: bytes, limit: int = EXPANDED_BYTES) -> bytes:
    """The content of a gzip file, all its members. Raises `NotAnActivity` where it is broken, too large or nested."""
    parts: list[bytes] = []
    left, at = limit, 0
    while content.startswith(MAGIC, at):
        member = zlib.decompressobj(wbits=_GZIP_ONLY)
        while not member.eof:
            piece = content[at : at + _PIECE]
            if not piece:
                raise NotAnActivity("This gzip file is cut off")
            try:
                part = member.decompress(piece, left + 1)
            except zlib.error as error:
                raise NotAnActivity("The gzip compression of this file is broken") from error
            if len(part) > left:
                raise NotAnActivity(f"Unpacked, this file is larger than {limit // 1024**2} MiB")
            parts.append(part)
            left -= len(part)
            at += len(piece) - len(member.unused_data)
    unpacked = b"".join(parts)
    if unpacked.startswith(MAGIC):
        raise NotAnActivity("This file is compressed twice; unpack it once and try again")
    return unpacked
