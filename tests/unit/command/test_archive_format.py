"""An archive is believed only when it is whole, ours, and exactly what its manifest says."""

import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.chassis.mongo_raw import BrokenBSON, Shape, split
from services.command.archives.format import (
    BadArchive,
    CollectionEntry,
    Manifest,
    Writer,
    members,
    part_name,
    verify,
)

DOCUMENT = bytes([12, 0, 0, 0, 0x10, ord("n"), 0, 7, 0, 0, 0, 0])  # {"n": 7}
PART = part_name("runnerly_activities", "originals.chunks", 0)
SHAPE = Shape("originals.chunks", "collection", {}, ())
MADE_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def written(path: Path) -> bytes:
    """A small, good archive."""
    with Writer(path) as writer:
        writer.add(PART, DOCUMENT * 3)
        writer.add("keys/kek", b"key of keys")
        writer.finish("1.2.3", MADE_AT, (CollectionEntry("runnerly_activities", SHAPE, 3, (PART,)),))
    return path.read_bytes()


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    """The bytes of a good archive."""
    return written(tmp_path / "good")


def tarred(*content: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A compressed tar of these members, as somebody else might make one."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for header, body in content:
            header.size = len(body)
            tar.addfile(header, io.BytesIO(body))
    return zstandard.compress(plain.getvalue())


def changed(archive: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The archive with each member put through `change`; None leaves it out."""
    kept = [(tarfile.TarInfo(name), change(name, body)) for name, body in members(io.BytesIO(archive))]
    return tarred(*((header, body) for header, body in kept if body is not None))


def test_what_is_written_is_read(good: bytes) -> None:
    """Manifest and keys come back as they were."""
    archive = verify(io.BytesIO(good))
    assert archive.keys == {"kek": b"key of keys"}
    assert archive.manifest.version == "1.2.3"
    assert archive.manifest.made_at == MADE_AT
    assert archive.manifest.documents == 3


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """It holds keys."""
    written(tmp_path / "archive")
    assert (tmp_path / "archive").stat().st_mode & 0o777 == 0o600


def test_an_archive_that_was_given_up_leaves_nothing(tmp_path: Path) -> None:
    """Neither a half archive in its place, nor the file it was written to."""
    with Writer(tmp_path / "archive") as writer:
        writer.add(PART, DOCUMENT)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_never_written_over(tmp_path: Path) -> None:
    """Yesterday's backup is not lost to a habit."""
    first = written(tmp_path / "archive")
    with pytest.raises(FileExistsError):
        written(tmp_path / "archive")
    assert (tmp_path / "archive").read_bytes() == first


def test_it_is_plain_tar_inside(good: bytes) -> None:
    """One can leave with tools that everybody has."""
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(good)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames() == [PART, "keys/kek", "manifest.json"]


def test_cut_short_anywhere_it_is_refused(good: bytes) -> None:
    """A full disk or a broken connection does not make a smaller backup."""
    for end in range(len(good)):
        with pytest.raises(BadArchive):
            verify(io.BytesIO(good[:end]))


def test_with_a_changed_bit_anywhere_it_is_refused_or_the_same(good: bytes) -> None:
    """Nearly the same is not the same; a few bits of the compression's own header mean nothing."""
    whole, refused = verify(io.BytesIO(good)), 0
    for at in range(len(good)):
        damaged = good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :]
        try:
            assert verify(io.BytesIO(damaged)) == whole
        except BadArchive:
            refused += 1
    assert refused > 0.95 * len(good)


def test_something_behind_its_end_is_refused(good: bytes) -> None:
    """A second archive in the same file is a mistake."""
    with pytest.raises(BadArchive):
        verify(io.BytesIO(good + good))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), compressed=st.booleans())
@example(content=b"", compressed=True)
@example(content=bytes(1024), compressed=True)
def test_anything_else_is_refused(content: bytes, compressed: bool) -> None:
    """Any file can be named on a command line."""
    with pytest.raises(BadArchive):
        verify(io.BytesIO(zstandard.compress(content) if compressed else content))


@pytest.mark.parametrize(
    "name",
    [
        "../kek",
        "/etc/passwd",
        "keys/../../kek",
        "keys/sub/kek",
        "keys/.ssh",
        "keys/",
        "data/../../x/000000.bson",
        "data/runnerly_a/../000000.bson",
        "data/runnerly_a/b/000000.bson\n",
        "other",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str, good: bytes) -> None:
    """A member has a name that we would give it, or the archive is not ours."""
    extra = (tarfile.TarInfo(name), b"x")
    rest = [(tarfile.TarInfo(each), body) for each, body in members(io.BytesIO(good))]
    with pytest.raises(BadArchive):
        verify(io.BytesIO(tarred(extra, *rest)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_plain_files_are_taken(kind: bytes, good: bytes) -> None:
    """No link, no device, no folder, whatever its name."""
    header = tarfile.TarInfo("keys/other")
    header.type, header.linkname = kind, "/etc/passwd"
    rest = [(tarfile.TarInfo(each), body) for each, body in members(io.BytesIO(good))]
    with pytest.raises(BadArchive):
        verify(io.BytesIO(tarred((header, b""), *rest)))


@pytest.mark.parametrize("left_out", [PART, "keys/kek", "manifest.json"])
def test_a_missing_member_is_refused(left_out: str, good: bytes) -> None:
    """The manifest lists them all."""
    with pytest.raises(BadArchive):
        verify(io.BytesIO(changed(good, lambda name, body: None if name == left_out else body)))


def test_a_manifest_that_lies_is_refused(good: bytes) -> None:
    """Counts are counted, not believed."""

    def one_more(name: str, body: bytes) -> bytes:
        if name != "manifest.json":
            return body
        manifest = msgspec.json.decode(body, type=Manifest)
        (entry,) = manifest.collections
        return msgspec.json.encode(
            msgspec.structs.replace(manifest, collections=(msgspec.structs.replace(entry, documents=4),))
        )

    with pytest.raises(BadArchive, match="as many documents"):
        verify(io.BytesIO(changed(good, one_more)))


def test_another_format_is_refused_by_its_number(good: bytes) -> None:
    """A Runnerly of the future may write others."""

    def newer(name: str, body: bytes) -> bytes:
        return body.replace(b'"format": 1', b'"format": 2') if name == "manifest.json" else body

    with pytest.raises(BadArchive, match="format is 2"):
        verify(io.BytesIO(changed(good, newer)))


@given(st.binary(max_size=60))
def test_a_row_of_documents_is_split_or_refused(content: bytes) -> None:
    """Whatever the bytes, what comes out is what went in."""
    try:
        parts = list(split(content))
    except BrokenBSON:
        return
    assert b"".join(parts) == content
    assert all(int.from_bytes(part[:4], "little") == len(part) for part in parts)
