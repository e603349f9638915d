"""Formats and versions: which format the caller accepts, and whether it has, or expects, this version (RFC 9110)."""

from __future__ import annotations

import hashlib
import re

from services.chassis.problems import NotAcceptable

JSON = "application/json"
MSGPACK = "application/msgpack"
FORMAT = {JSON: "json", MSGPACK: "msgpack"}

ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')
OURS = re.compile(r"(\d+)-[a-z]+")
NO_VERSION = -1  # which nothing ever has


def accepted(accept: str | None, offered: tuple[str, ...] = (JSON, MSGPACK)) -> str:
    """The best of the offered media types by the `Accept` header; the first where it says nothing.

    Raises `NotAcceptable` where none will do.
    """
    if not accept or accept in {"*/*", offered[0]}:
        return offered[0]
    ranges = _ranges(accept)
    best, quality = max(((media, _quality(media, ranges)) for media in offered), key=lambda pair: pair[1])
    if quality <= 0:
        raise NotAcceptable(f"This is available as {', '.join(offered)}")
    return best


def _ranges(accept: str) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        ranges[media] = quality
    return ranges


def _quality(media: str, ranges: dict[str, float]) -> float:
    for candidate in (media, f"{media.partition('/')[0]}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0


def version_tag(version: int, media_type: str) -> str:
    """The ETag of one version of a thing in one format."""
    return f'"{version}-{FORMAT[media_type]}"'


def content_tag(body: bytes, media_type: str) -> str:
    """The ETag of what has no version: a digest of what it says."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}-{FORMAT[media_type]}"'


def has_current(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller already holds what the tag names (weak comparison, RFC 9110, 13.1.2)."""
    if not if_none_match:
        return False
    if if_none_match.strip() == "*":
        return True
    return tag.strip('"') in ENTITY_TAG.findall(if_none_match)


def expected_version(if_match: str | None) -> int | None:
    """The version the caller changes, from `If-Match`; None where it is absent or `*`.

    Only the version counts: a tag that compression weakened, or of another format, means the same version. One that is none
    of ours is of a version that nothing has (RFC 9110, 13.1.1: it does not match).
    """
    if if_match is None or if_match.strip() == "*":
        return None
    ours = next(filter(None, map(OURS.fullmatch, ENTITY_TAG.findall(if_match))), None)
    return int(ours[1]) if ours else NO_VERSION
