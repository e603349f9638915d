"""The people protocol: what a service holds of a person goes out whole, and goes away for good."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.mongo import Database
from services.chassis.people import TOMBSTONES, Belonging, People, Tombstones, as_member
from services.chassis.secrets import Secrets


class Cupboard:
    """A service's data of two people."""

    def __init__(self) -> None:
        self.held = {
            "ann": [Belonging("shoes/1.json", b'{"name":"Swift"}'), Belonging("files/ä.gpx", b"x" * 700)],
            "bob": [],
        }

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        for belonging in self.held.get(sub, []):
            yield belonging

    async def erase(self, sub: str) -> None:
        self.held.pop(sub, None)


async def test_a_takeout_is_an_archive_that_any_tool_reads(database: Database) -> None:
    people = People(Cupboard(), Tombstones(database, Secrets(b"k" * 32)), [])
    archive = b"".join([chunk async for chunk in people.takeout("ann")])
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        read = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert read == {"shoes/1.json": b'{"name":"Swift"}', "files/ä.gpx": b"x" * 700}


async def test_a_takeout_of_nobody_is_an_empty_archive(database: Database) -> None:
    people = People(Cupboard(), Tombstones(database, Secrets(b"k" * 32)), [])
    archive = b"".join([chunk async for chunk in people.takeout("nobody")])
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getmembers() == []


async def test_a_deletion_reaches_everything_and_can_be_repeated(database: Database) -> None:
    await database.apply([TOMBSTONES])
    cupboard, forgotten = Cupboard(), []

    async def forget(sub: str) -> None:
        forgotten.append(sub)

    tombstones = Tombstones(database, Secrets(b"k" * 32))
    people = People(cupboard, tombstones, [forget, forget])
    assert not await tombstones.holds("ann")
    for _ in range(2):
        await people.erase("ann")
    assert list(cupboard.held) == ["bob"]
    assert forgotten == ["ann"] * 4
    assert await tombstones.holds("ann")
    assert not await tombstones.holds("bob")


async def test_a_tombstone_names_nobody(database: Database) -> None:
    await Tombstones(database, Secrets(b"k" * 32)).bury("ann")
    [stone] = [document async for document in database.collection(TOMBSTONES.name).find()]
    assert "ann" not in str(stone)
    assert not await Tombstones(database, Secrets(b"another key, of 32 bytes........")).holds("ann")


@given(
    st.dictionaries(
        st.text("abc/ä", min_size=1, max_size=120).filter(lambda name: not name.endswith("/")), st.binary(max_size=1500)
    )
)
def test_whatever_is_held_comes_back(held: dict[str, bytes]) -> None:
    archive = b"".join(b"".join(as_member(Belonging(name, content))) for name, content in held.items()) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert [(m.name, tar.extractfile(m).read()) for m in tar] == list(held.items())  # type: ignore[union-attr]
