"""Parts of a file: which bytes a `Range` header asks for (RFC 9110, 14). One range; several at once are answered whole."""

from __future__ import annotations

import re

from msgspec import Struct

from services.chassis.problems import RangeNotSatisfiable

ONE_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class Part(Struct, frozen=True):
    """The bytes from `start` up to `end`, which is not among them, of a file of `size`."""

    start: int
    end: int
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file."""
        return self.end - self.start == self.size

    @property
    def content_range(self) -> str:
        """It as the header `Content-Range` has it."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def part_asked_for(header: str | None, size: int) -> Part:
    """The part of a file that is asked for; all of it where the header asks for no range that we know.

    Raises `RangeNotSatisfiable` for one that begins behind the end.
    """
    found = ONE_RANGE.fullmatch(header.replace(" ", "")) if header else None
    whole = Part(0, size, size)
    if found is None:
        return whole
    first, last = found.groups()
    if not first:
        return _of_the_end(int(last), size) if last else whole
    if last and int(last) < int(first):
        return whole
    if int(first) >= size:
        raise _not_satisfiable(size)
    return Part(int(first), min(int(last) + 1, size) if last else size, size)


def _of_the_end(length: int, size: int) -> Part:
    if length == 0 or size == 0:
        raise _not_satisfiable(size)
    return Part(max(0, size - length), size, size)


def _not_satisfiable(size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
