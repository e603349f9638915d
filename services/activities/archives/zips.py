"""Opening ZIP archives of strangers, and judging what is in them before any of it is unpacked.

Nothing is ever written to a path: a name is only shown, and compared with other names. What `zipfile` would read into
memory is bounded before it does: the directory by what its end says of it, a member by its declared size.
"""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from msgspec import Struct

from services.activities.archives.chunked import Window, buffered
from services.activities.domain.problems import NotAnActivity, NotAnArchive

MIB = 1024**2
GIB = 1024**3
LARGEST_MEMBER = 64 * MIB
MOST_EXPANSION_OF_ARCHIVE = 20  # which is packed once already
MOST_EXPANSION = 200  # tracks as XML, the most repetitive of what we read, shrink to a fortieth
SMALL = MIB  # what is smaller may expand as it likes
LONGEST_SHOWN = 200
_PIECE = 64 * 1024  # read at once, a member would be unpacked whole before it is cut to its size
_DIRECTORY_BYTES = 160  # of a member, on average, and more than most programs write

_BROKEN = (BadZipFile, struct.error, zlib.error, EOFError, ValueError, OverflowError, IndexError, KeyError, OSError)
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_END, _END_64, _LOCATOR_64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_LONGEST_COMMENT = 65_535
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # the member, its strong encryption, the directory
_UNIX = 3
_NESTED = (".zip", ".rar", ".7z", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_NESTED_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c")
_CLUTTER = {".ds_store", "thumbs.db", "desktop.ini"}
_DRIVE = re.compile(r"^[A-Za-z]:")


class Limits(Struct, frozen=True):
    """How much an archive may hold: members, and bytes when the files in it are unpacked."""

    members: int = 50_000
    expanded_bytes: int = 16 * GIB


def opened(file: BinaryIO, limits: Limits) -> ZipFile:
    """An archive. Raises `NotAnArchive` where it is none, is cut off, or has too many members."""
    count, size = _directory(file)
    if count > limits.members or size > limits.members * _DIRECTORY_BYTES:
        raise too_many(limits)
    try:
        archive = ZipFile(file)
    except (*_BROKEN, NotImplementedError) as error:
        raise NotAnArchive("This ZIP archive is broken") from error
    if len(archive.filelist) > limits.members:
        raise too_many(limits)
    return archive


def nested(outer: ZipFile, info: ZipInfo, limits: Limits) -> ZipFile:
    """An archive inside another one: read in place where it is kept as it is, else unpacked as far as it is read."""
    try:
        if info.compress_type == ZIP_STORED and outer.fp is not None:
            raw = Window(outer.fp, _begin_of(outer, info), info.file_size)  # type: ignore[arg-type]
            return opened(buffered(raw), limits)
        return opened(outer.open(info), limits)  # type: ignore[arg-type]
    except (*_BROKEN, RuntimeError) as error:
        raise NotAnArchive("This ZIP archive is broken") from error


def _begin_of(outer: ZipFile, info: ZipInfo) -> int:
    """Where the bytes of a member begin, behind its own header (APPNOTE 4.3.7)."""
    file = outer.fp
    if file is None:
        raise ValueError("the archive is closed")
    file.seek(info.header_offset)
    header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if header[0] != b"PK\x03\x04":
        raise BadZipFile("no header where the directory says")
    return info.header_offset + _LOCAL_HEADER.size + int(header[-2]) + int(header[-1])


def _directory(file: BinaryIO) -> tuple[int, int]:
    """How many members an archive says it has, and the bytes of its directory (APPNOTE 4.3.14 and 4.3.16).

    It looks where `zipfile` looks, since it is what that will read that matters.
    """
    length = file.seek(0, 2)
    tail_begin = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(tail_begin)
    tail = file.read(length - tail_begin)
    at = len(tail) - _END.size
    if at < 0:
        raise NotAnArchive("This is no ZIP archive")
    if not (tail.startswith(b"PK\x05\x06", at) and tail.endswith(b"\0\0")):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        cut_off = length >= 4 and _begins(file, b"PK\x03\x04")
        raise NotAnArchive("This ZIP archive is cut off" if cut_off else "This is no ZIP archive")
    _, _, _, _, count, size, _, _ = _END.unpack_from(tail, at)
    before = at - _LOCATOR_64.size - _END_64.size
    if before >= 0 and tail.startswith(b"PK\x06\x07", at - _LOCATOR_64.size) and tail.startswith(b"PK\x06\x06", before):
        _, _, _, _, _, _, _, count, size, _ = _END_64.unpack_from(tail, before)
    return count, size


def _begins(file: BinaryIO, magic: bytes) -> bool:
    file.seek(0)
    return file.read(len(magic)) == magic


def too_many(limits: Limits) -> NotAnArchive:
    """What is said of an archive with too many members."""
    return NotAnArchive(f"An archive may have up to {limits.members:,} files: bring it in parts")


def is_of_interest(info: ZipInfo) -> bool:
    """Whether a member is a file somebody put there, and not a folder or what an operating system leaves behind."""
    path = PurePosixPath(info.filename)
    clutter = path.name.startswith("._") or path.name.lower() in _CLUTTER or "__MACOSX" in path.parts
    return not info.filename.endswith("/") and not clutter  # its own `is_dir` fails at an empty name


def refusal(info: ZipInfo) -> str | None:  # noqa: PLR0911 - a list of reasons
    """Why a member is not even unpacked, in words for its owner; None where nothing speaks against it."""
    name = info.orig_filename
    if not info.filename:
        return "It has no name"
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or _DRIVE.match(name):
        return "Its name leads out of the archive"
    if any(unicodedata.category(c) == "Cc" for c in name):
        return "Its name has control characters"
    if info.flag_bits & _ENCRYPTED:
        return "It is encrypted: pack it again without a password"
    mode = info.external_attr >> 16
    if info.create_system == _UNIX and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "It is a link, or something else that is no file"
    if name.lower().endswith(_NESTED):
        return "It is an archive itself: send it by itself"
    if info.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        return "It is compressed in an unusual way: pack it again with Deflate, which is what most programs use"
    if info.file_size > LARGEST_MEMBER:
        return f"It is larger than {LARGEST_MEMBER // MIB} MiB"
    if swells(info, MOST_EXPANSION):
        return f"It would expand to over {MOST_EXPANSION} times its size"
    return None


def swells(info: ZipInfo, most: int) -> bool:
    """Whether a member says that it would expand to more than so many times its size."""
    return info.file_size > max(SMALL, most * info.compress_size)


def check_total(infos: Iterable[ZipInfo], limits: Limits) -> None:
    """Raise `NotAnArchive` where these members say that they are larger than an archive may be, all together."""
    if sum(info.file_size for info in infos) > limits.expanded_bytes:
        raise NotAnArchive(f"Unpacked, the files in this archive are larger than {limits.expanded_bytes // GIB} GiB")


def unpacked(archive: ZipFile, info: ZipInfo) -> bytes:
    """The bytes of a member that nothing speaks against. Raises `NotAnActivity` where they can't be had, or are an archive."""
    try:
        with archive.open(info) as member:
            content = b"".join(iter(lambda: member.read(_PIECE), b""))
    except (*_BROKEN, RuntimeError) as error:
        raise NotAnActivity("It is damaged: the archive does not hold it whole") from error
    if content.startswith(_NESTED_MAGIC):
        raise NotAnActivity("It is an archive itself: send it by itself")
    return content


def shown(name: str) -> str:
    """A member's name as it can be shown: without control characters, the end of one that is too long."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] == "C" else c for c in name)[
        -LONGEST_SHOWN:
    ]
