"""The format of an archive: writing its members one by one, and reading them back with suspicion."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import msgspec
import zstandard
from msgspec import Struct

from services.chassis.mongo_raw import BrokenBSON, Shape, split

FORMAT = 1
MANIFEST = "manifest.json"
_NAME = r"[A-Za-z0-9_%~-][A-Za-z0-9._%~-]*"  # never `.` or `..`, never a slash
MEMBER = re.compile(rf"manifest\.json|keys/{_NAME}|data/{_NAME}/{_NAME}/\d{{6,}}\.bson")
PART_BYTES = 8 * 2**20
LARGEST_MEMBER = 64 * 2**20  # a part holds at most one document (16 MiB) more than it should
LARGEST_WINDOW = 8 * 2**20  # of zstd: what reading an archive costs in memory
LEVEL = 3
CHUNK = 2**18


class BadArchive(Exception):
    """It is no archive of ours, or it was damaged. Nothing of it was used."""


class Member(Struct, frozen=True):
    """One file in the archive."""

    name: str
    size: int
    sha256: str


class CollectionEntry(Struct, frozen=True):
    """One collection: what it is like, how many documents it has, and the members that hold them, in order."""

    database: str
    shape: Shape
    documents: int
    parts: tuple[str, ...]


class Manifest(Struct, frozen=True):
    """The contents of an archive, and where they come from. All data is of one moment, `made_at`."""

    format: int
    version: str
    made_at: datetime
    collections: tuple[CollectionEntry, ...]
    members: tuple[Member, ...]

    @property
    def documents(self) -> int:
        """All documents in it."""
        return sum(entry.documents for entry in self.collections)


class Archive(Struct, frozen=True):
    """An archive that was read and found whole: its manifest, and the key files by name."""

    manifest: Manifest
    keys: dict[str, bytes]


class Writer:
    """Writes an archive beside its place and moves it there when it is whole; use it in a `with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f".{path.name}.unfinished")
        self._members: list[Member] = []

    def __enter__(self) -> Writer:
        if self._path.exists():
            raise FileExistsError(errno.EEXIST, "it exists already", str(self._path))
        self._unfinished.unlink(missing_ok=True)
        # It holds keys and people's lives: readable by its owner from the first byte.
        self._file = os.fdopen(os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._compressed = compressor.stream_writer(self._file, closefd=False)
        self._tar = tarfile.open(mode="w|", fileobj=self._compressed, format=tarfile.PAX_FORMAT)
        return self

    def add(self, name: str, content: bytes) -> str:
        """Add one member, and return its name."""
        self._write(name, content)
        self._members.append(Member(name, len(content), hashlib.sha256(content).hexdigest()))
        return name

    def finish(self, version: str, made_at: datetime, collections: tuple[CollectionEntry, ...]) -> Manifest:
        """Write the manifest, and put the archive in its place once all of it is on the disk."""
        manifest = Manifest(FORMAT, version, made_at, collections, tuple(self._members))
        self._write(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        self._tar.close()
        self._compressed.flush(zstandard.FLUSH_FRAME)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unfinished.rename(self._path)
        sync_folder(self._path.parent)
        return manifest

    def _write(self, name: str, content: bytes) -> None:
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(content), 0o600
        self._tar.addfile(header, io.BytesIO(content))

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


def part_name(database: str, collection: str, number: int) -> str:
    """The member of one part of a collection. Names are quoted: a collection may be called nearly anything."""
    return f"data/{quote(database, safe='')}/{quote(collection, safe='')}/{number:06}.bson"


def members(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """The members of an archive in order, names and contents, nothing believed: only plain files with names of ours.

    Raises `BadArchive` where it is cut short, damaged, or has anything else in it.
    """
    file.seek(0)
    frame = _Frame(file)
    try:
        with tarfile.open(mode="r|", fileobj=io.BufferedReader(frame, CHUNK)) as tar:
            for header in tar:
                if not header.isreg() or not MEMBER.fullmatch(header.name):
                    raise BadArchive(f"it has a member that no archive of ours has: {header.name!r}")
                if header.size > LARGEST_MEMBER:
                    raise BadArchive(f"{header.name} is larger than any part we write")
                content = tar.extractfile(header)
                yield header.name, content.read() if content else b""
        frame.expect_end()
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise BadArchive(f"it can't be read: {error}") from error


def verify(file: IO[bytes]) -> Archive:
    """Read all of an archive, and return it when every member is there and is what it was. Raises `BadArchive`."""
    found: dict[str, Member] = {}
    keys: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    manifest: Manifest | None = None
    for name, content in members(file):
        if manifest is not None or name in found:
            raise BadArchive(f"{name} comes twice, or after the manifest")
        if name == MANIFEST:
            manifest = _decoded(content)
            continue
        found[name] = Member(name, len(content), hashlib.sha256(content).hexdigest())
        counts[name] = _count(name, content)
        if name.startswith("keys/"):
            keys[name.removeprefix("keys/")] = content
    if manifest is None:
        raise BadArchive("it has no manifest: it was cut short, or is no archive of ours")
    if manifest.format != FORMAT:
        raise BadArchive(f"its format is {manifest.format}, and this Runnerly reads {FORMAT}")
    if {member.name: member for member in manifest.members} != found:
        raise BadArchive("its contents are not those that its manifest lists")
    _check_counts(manifest, counts)
    return Archive(manifest, keys)


def _decoded(content: bytes) -> Manifest:
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadArchive(f"its manifest can't be read: {error}") from error


def _count(name: str, content: bytes) -> int:
    if not name.startswith("data/"):
        return 0
    try:
        return sum(1 for _ in split(content))
    except BrokenBSON as error:
        raise BadArchive(f"{name}: {error}") from error


def _check_counts(manifest: Manifest, counts: dict[str, int]) -> None:
    listed = [part for entry in manifest.collections for part in entry.parts]
    if sorted(listed) != sorted(name for name in counts if name.startswith("data/")):
        raise BadArchive("its manifest does not say where every part belongs")
    for entry in manifest.collections:
        if entry.documents != sum(counts[part] for part in entry.parts):
            raise BadArchive(f"{entry.database}.{entry.shape.name} has not as many documents as its manifest says")


class _Frame(io.RawIOBase):
    """The inside of one zstd frame. A frame that ends early is an error; the library's own reader calls it an end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).decompressobj()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._frame.eof:
            some = self._file.read(CHUNK)
            if not some:
                raise EOFError("it was cut short")
            self._ready = self._frame.decompress(some)
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def expect_end(self) -> None:
        """Raises `EOFError` unless the frame, with its checksum, and the file end here."""
        while self.read(CHUNK):
            pass
        if self._frame.unused_data or self._file.read(1):
            raise EOFError("something follows its end")


def sync_folder(folder: Path) -> None:
    """Make sure that a new name in a folder survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
