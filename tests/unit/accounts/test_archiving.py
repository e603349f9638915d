"""One ZIP of what each service gave: all of it, in little memory, and never half of it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.accounts.archiving import BadPart, pack
from services.chassis.people import END, Belonging, as_member

NOW = datetime(2026, 3, 14, 7, 30, tzinfo=UTC)
NAMES = st.text("abcä-. ", min_size=1, max_size=150).map(lambda name: f"things/{name}x")


async def pieces(*given: bytes, of: int = 1000) -> AsyncIterator[bytes]:
    """These bytes, as a network cuts them."""
    whole = b"".join(given)
    for start in range(0, len(whole), of):
        yield whole[start : start + of]


def tar(**files: bytes) -> bytes:
    """What a service gives."""
    return b"".join(b"".join(as_member(Belonging(path, content))) for path, content in files.items()) + END


async def zipped(**parts: AsyncIterator[bytes]) -> zipfile.ZipFile:
    """The archive of these parts."""
    written = io.BytesIO()

    async def write(piece: bytes) -> None:
        written.write(piece)

    await pack(parts, write, NOW)
    return zipfile.ZipFile(written)


@given(st.dictionaries(NAMES, st.binary(max_size=3000), max_size=6), st.integers(1, 5000))
@settings(max_examples=30, deadline=None)
def test_whatever_services_give_is_in_it(files: dict[str, bytes], of: int) -> None:
    archive = asyncio.run(zipped(one=pieces(tar(**files), of=of), other=pieces(tar(**{"other.json": b"{}"}))))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("manifest.json"))
    assert {name: archive.read(name) for name in archive.namelist()[:-1]} == {**files, "other.json": b"{}"}
    assert [file["path"] for file in manifest["files"]] == archive.namelist()[:-1]
    assert [service["files"] for service in manifest["services"]] == [len(files), 1]
    assert manifest["made_at"] == "2026-03-14T07:30:00Z"


@pytest.mark.parametrize("cut", [1, 700, 1600])
async def test_what_ends_too_early_is_noticed(cut: int) -> None:
    whole = tar(**{"a.json": b"x" * 1400})
    with pytest.raises(BadPart, match="one"):
        await zipped(one=pieces(whole[:cut]))


@pytest.mark.parametrize("path", ["/etc/passwd", "a/../../b", "manifest.json"])
async def test_no_service_can_put_a_file_elsewhere_or_in_the_place_of_another(path: str) -> None:
    with pytest.raises(BadPart, match="archive"):
        await zipped(one=pieces(tar(**{path: b"x"})), other=pieces(tar(**{path: b"y"})))


async def test_memory_is_flat_however_much_it_is() -> None:
    async def much(files: int) -> AsyncIterator[bytes]:
        for number in range(files):
            for chunk in as_member(Belonging(f"originals/{number}.fit", os.urandom(500_000))):
                yield chunk
        yield END

    async def throw_away(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    async def peak_of(files: int) -> int:
        tracemalloc.start()
        await pack({"activities": much(files)}, throw_away, NOW)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    size = 0
    little, much_more = await peak_of(4), await peak_of(60)
    assert size > 30_000_000
    assert much_more < little + 1_000_000
    assert much_more < 8_000_000


async def test_nobody_waits_for_the_rest_when_it_is_called_off() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            for chunk in as_member(Belonging(f"originals/{os.urandom(8).hex()}", os.urandom(100_000))):
                yield chunk

    async def write(_: bytes) -> None:
        reached.set()

    reached = asyncio.Event()
    packing = asyncio.create_task(pack({"activities": endless()}, write, NOW))
    await reached.wait()
    packing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await packing
