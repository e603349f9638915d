"""Cursor paging. A cursor is a sealed position: it can't be read as ours when anything in it, or around it, was changed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from services.chassis.problems import Invalid

T = TypeVar("T")
HasId = TypeVar("HasId", bound="Identified")
SEAL_BYTES = 12


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> str:
        """Which one it is."""


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of every list; a list with filters of its own extends it."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many items at the most")] = 20
    cursor: Annotated[str | None, Meta(description="Where to go on: `next` of the page before")] = None


class Cursors:
    """Seals positions with a key of the service, bound to the list, the person and the filters they belong to."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, position: Any, scope: str) -> str:
        """The cursor of a position (any msgspec value) in the list that `scope` names."""
        body = msgspec.msgpack.encode(position)
        return _as_text(self._sign(body, scope) + body)

    def open(self, cursor: str, type_: type[T], scope: str) -> T:
        """The position in a cursor. Raises `Invalid` where it was made up, changed, or for another list."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            seal, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
            # Base64 has several spellings of some bytes; only ours is a cursor.
            if cursor != _as_text(raw) or not hmac.compare_digest(seal, self._sign(body, scope)):
                raise Invalid.field("cursor", "This cursor does not belong to this list")
            return msgspec.msgpack.decode(body, type=type_)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise Invalid.field("cursor", "This is not a cursor") from None

    def _sign(self, body: bytes, scope: str) -> bytes:
        return hmac.digest(self._key, scope.encode() + b"\0" + body, hashlib.sha256)[:SEAL_BYTES]


def _as_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def list_scope(operation_id: str, sub: str, query: PageQuery) -> str:
    """What a cursor is bound to: the operation, the person, and the query but for where and how long the page is."""
    filters = {name: getattr(query, name) for name in query.__struct_fields__ if name not in {"limit", "cursor"}}
    return f"{operation_id}\0{sub}\0{msgspec.json.encode(filters).decode()}"


def part_after(id_: str | None, everything: Sequence[HasId], limit: int) -> tuple[list[HasId], str | None]:
    """So many of a list after the one with this id (from the first where it is gone), and the id to go on from."""
    begin = next((row + 1 for row, one in enumerate(everything) if one.id == id_), 0)
    shown = list(everything[begin : begin + limit])
    return shown, shown[-1].id if begin + limit < len(everything) else None
