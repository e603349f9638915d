"""FIT's framing (Flexible and Interoperable Data Transfer Protocol): headers, messages, checksums, and mending them.

Decoding is a library's work (`fitfast`), which refuses a file as a whole for a wrong checksum or a cut-off end. Here
the messages are only walked over, so that what is whole before the damage can be kept.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator

from services.activities.formats.limits import MESSAGES

SIGNATURE = b".FIT"
_LONG_HEADER, _SHORT_HEADER = 14, 12
_LONGEST_REST = 32 * 1024

# CRC-16/ARC by half-bytes, as in the protocol's section on the CRC
_NIBBLES = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip
_COMPRESSED, _DEFINITION, _DEVELOPER = 0x80, 0x40, 0x20
_BIG_ENDIAN = 1
_BASE_TYPE_SIZES = {
    0x00: 1, 0x01: 1, 0x02: 1, 0x07: 1, 0x0A: 1, 0x0D: 1, 0x83: 2, 0x84: 2, 0x85: 4, 0x86: 4,
    0x88: 4, 0x89: 8, 0x8B: 2, 0x8C: 4, 0x8E: 8, 0x8F: 8, 0x90: 8,
}  # fmt: skip


def _of_byte(byte: int) -> int:
    crc = _NIBBLES[byte & 0xF]
    return (crc >> 4) ^ _NIBBLES[crc & 0xF] ^ _NIBBLES[byte >> 4]


_OF_BYTES = tuple(map(_of_byte, range(256)))


def is_fit(content: bytes) -> bool:
    """Whether a file says that it is a FIT file."""
    return content[8:12] == SIGNATURE and content[0] >= _SHORT_HEADER


def checksum(data: bytes) -> int:
    """The CRC-16 that ends a FIT file."""
    crc = 0
    for byte in data:
        crc = (crc >> 8) ^ _OF_BYTES[(crc ^ byte) & 0xFF]
    return crc


def mended(content: bytes) -> bytes:
    """A FIT file of the messages that are whole, up to the first that is not; chained files are left out.

    The header's size and the checksum are what the content is, whatever they said.
    """
    start = min(content[0], len(content))
    claimed = struct.unpack_from("<I", content, 4)[0]
    end = min(start + claimed, len(content)) if claimed else len(content)
    reached = start
    for _, reached in _whole_messages(content, start, end):  # noqa: B007 - the last is what is wanted
        pass
    return _file_of(content, content[start:reached])


def of_kinds(kinds: Container[int], content: bytes) -> bytes | None:
    """A file of the messages of some kinds alone, by their numbers in the protocol's profile.

    None for what can't be told so: a file that is not one whole one, or has messages whose time counts on from others'; and
    where what is left is so long that its checksum takes longer than it spares.
    """
    start, end = content[0], len(content) - 2
    if start + struct.unpack_from("<I", content, 4)[0] != end:
        return None
    kept, length, reached = [], 0, start
    dropped: set[int] = set()
    for begin, reached in _whole_messages(content, start, end):
        header = content[begin]
        if header & _COMPRESSED:
            if (header >> 5) & 0x3 in dropped:
                continue
            return None
        local = header & 0xF
        if header & _DEFINITION:
            order = ">H" if content[begin + 2] == _BIG_ENDIAN else "<H"
            wanted = struct.unpack_from(order, content, begin + 3)[0] in kinds
            (dropped.discard if wanted else dropped.add)(local)
        elif local in dropped:
            continue
        kept.append(content[begin:reached])
        length += reached - begin
        if length > _LONGEST_REST:
            return None
    return _file_of(content, b"".join(kept)) if reached == end else None


def _file_of(content: bytes, data: bytes) -> bytes:
    """A file like another, of this data."""
    profile = struct.unpack_from("<H", content, 2)[0]
    header = struct.pack("<BBHI4s", _LONG_HEADER, content[1], profile, len(data), SIGNATURE)
    # the checksum of a header with its own checksum is zero, so that the file's is that of its data alone
    return header + struct.pack("<H", checksum(header)) + data + struct.pack("<H", checksum(data))


def _whole_messages(content: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each message begins and ends, up to the first that is not whole."""
    sizes: dict[int, int] = {}
    at = start
    for _ in range(MESSAGES):
        if at >= end:
            return
        header = content[at]
        if header & _COMPRESSED:
            size = sizes.get((header >> 5) & 0x3)
        elif header & _DEFINITION:
            size = _define(content, at, end, sizes)
        else:
            size = sizes.get(header & 0xF)
        if size is None or at + 1 + size > end:
            return
        yield at, at + 1 + size
        at += 1 + size


def _define(content: bytes, at: int, end: int, sizes: dict[int, int]) -> int | None:
    """Learn a local message's size from its definition; returns the definition's own, None where it is not whole."""
    if at + 6 > end:
        return None
    fields = content[at + 5]
    size = 5 + 3 * fields
    if at + 1 + size > end:
        return None
    defined = content[at + 6 : at + 6 + 3 * fields]
    if not all(_is_well_typed(size, kind) for size, kind in zip(defined[1::3], defined[2::3], strict=True)):
        return None
    message_size = sum(defined[1::3])
    if content[at] & _DEVELOPER:
        if at + 1 + size >= end:
            return None
        developer_fields = content[at + 1 + size]
        first = at + 2 + size
        size += 1 + 3 * developer_fields
        if at + 1 + size > end:
            return None
        message_size += sum(content[first + 1 : first + 3 * developer_fields : 3])
    sizes[content[at] & 0xF] = message_size
    return size


def _is_well_typed(size: int, base_type: int) -> bool:
    element = _BASE_TYPE_SIZES.get(base_type)
    return element is not None and size > 0 and size % element == 0
