"""The people protocol: what a service holds of a person goes out whole, and goes away for good."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import Struct

from services.chassis.holdings import Holding
from services.chassis.mongo import Database, Session
from services.chassis.people import Belonging, Erased, Kept, People, as_member
from services.chassis.secrets import Secrets
from services.chassis.tombstones import KEPT_FOR, TOKENS_LIVE_FOR, TOMBSTONES, Tombstones


class Shoe(Struct):
    name: str


class Cupboard:
    """A service's data of two people."""

    holdings: ClassVar[tuple[Holding, ...]] = (
        Holding("shoes/*.json", "A shoe", Shoe),
        Holding("files/*", "A file"),
    )

    def __init__(self) -> None:
        self.held = {
            "ann": [Belonging("shoes/1.json", b'{"name":"Swift"}'), Belonging("files/ä.gpx", b"x" * 700)],
            "bob": [],
        }

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        for belonging in self.held.get(sub, []):
            yield belonging

    async def erase(self, sub: str) -> Erased:
        self.held.pop(sub, None)
        return Erased((Kept("one ledger entry", "the law"),))


def contents(archive: Sequence[bytes]) -> dict[str, bytes]:
    """What is in a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


async def test_a_takeout_is_an_archive_that_any_tool_reads(database: Database) -> None:
    people = People("cupboard", Cupboard(), Tombstones(database, Secrets(b"k" * 32)), [])
    read = contents([chunk async for chunk in people.takeout("ann")])
    schema = json.loads(read.pop("schemas/cupboard.schema.json"))
    assert read == {"shoes/1.json": b'{"name":"Swift"}', "files/ä.gpx": b"x" * 700}
    assert Draft202012Validator(schema).is_valid({"shoes/1.json": {"name": "Swift"}})
    assert not Draft202012Validator(schema).is_valid({"shoes/1.json": {"name": 1}})


async def test_a_takeout_of_nobody_has_a_schema_and_nothing_else(database: Database) -> None:
    people = People("cupboard", Cupboard(), Tombstones(database, Secrets(b"k" * 32)), [])
    assert list(contents([chunk async for chunk in people.takeout("nobody")])) == ["schemas/cupboard.schema.json"]


async def test_a_deletion_reaches_everything_and_can_be_repeated(database: Database) -> None:
    await database.apply([TOMBSTONES])
    cupboard, forgotten = Cupboard(), []

    async def forget(sub: str) -> None:
        forgotten.append(sub)

    tombstones = Tombstones(database, Secrets(b"k" * 32))
    people = People("cupboard", cupboard, tombstones, [forget, forget])
    assert not await tombstones.holds("ann")
    for _ in range(2):
        assert (await people.erase("ann")).kept == (Kept("one ledger entry", "the law"),)
    assert list(cupboard.held) == ["bob"]
    assert forgotten == ["ann"] * 4
    assert await tombstones.holds("ann")
    assert not await tombstones.holds("bob")


async def test_tokens_are_refused_at_once_here_and_after_a_look_elsewhere(database: Database) -> None:
    await database.apply([TOMBSTONES])
    here, there = (Tombstones(database, Secrets(b"k" * 32)) for _ in range(2))
    await here.bury("ann")
    assert (here.refuse("ann"), there.refuse("ann")) == (True, False)
    await there.look()
    assert there.refuse("ann")
    assert not there.refuse("bob")


async def test_nobody_is_refused_for_ever(database: Database) -> None:
    """No token lives as long as a tombstone: what is kept in memory is bounded by those of a few minutes."""
    stones = Tombstones(database, Secrets(b"k" * 32))
    await stones.bury("ann")
    earlier = {"expires_at": datetime.now(UTC) + KEPT_FOR - 2 * TOKENS_LIVE_FOR}
    await database.collection(TOMBSTONES.name).update_many({}, {"$set": earlier})
    fresh = Tombstones(database, Secrets(b"k" * 32))
    await fresh.look()
    assert not fresh.refuse("ann")
    assert await fresh.holds("ann")


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


async def test_who_is_buried_in_a_transaction_that_fails_is_not_refused(database: Database) -> None:
    await database.apply([TOMBSTONES])
    stones = Tombstones(database, Secrets(b"k" * 32))

    async def body(session: Session) -> None:
        await stones.bury("ann", session)
        raise RuntimeError("something after it")

    with pytest.raises(RuntimeError):
        await database.transact(body)
    await stones.look()
    assert not stones.refuse("ann")
    assert not await stones.holds("ann")
