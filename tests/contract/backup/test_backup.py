"""Everything goes into an archive and comes out of it, into another database server too."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.chassis.mongo import CollectionSpec, Database, IndexSpec, Mongo
from services.chassis.mongo_raw import Shape, shapes
from services.command.archives.format import BadArchive
from services.command.archives.restoring import Incomplete, NotEmpty, check_complete, restore_backup
from services.command.archives.taking import Unreadable, take_backup
from tests.support.database import DatabaseServer

PLACES = CollectionSpec(
    "places",
    indexes=(
        IndexSpec((("owner", 1), ("at", -1)), name="by_owner"),
        IndexSpec((("code", 1),), name="one_code", unique=True, partial={"code": {"$exists": True}}),
        IndexSpec((("gone_at", 1),), name="gone", expire_after_s=3600),
        IndexSpec((("spot", "2dsphere"),), name="near"),
    ),
    schema={"bsonType": "object", "required": ["owner"], "properties": {"owner": {"bsonType": "string"}}},
)
ORIGINAL = bytes(range(256)) * 3000  # three chunks of GridFS


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DatabaseServer, DatabaseServer]]:
    """Two database servers: one to leave, one to move to."""
    pair = DatabaseServer(tmp_path_factory.mktemp("old")), DatabaseServer(tmp_path_factory.mktemp("new"))
    for server in pair:
        server.start()
    yield pair
    for server in pair:
        server.kill()


@pytest.fixture
async def old(servers: tuple[DatabaseServer, DatabaseServer]) -> AsyncIterator[Mongo]:
    """The server that has everything."""
    async with emptied(servers[0]) as mongo:
        await fill(mongo)
        yield mongo


@pytest.fixture
async def new(servers: tuple[DatabaseServer, DatabaseServer]) -> AsyncIterator[Mongo]:
    """The server that has nothing of ours."""
    async with emptied(servers[1]) as mongo:
        yield mongo


@asynccontextmanager
async def emptied(server: DatabaseServer) -> AsyncIterator[Mongo]:
    """A client of a server with nothing of ours on it."""
    mongo = Mongo(server.uri)
    for name in await mongo.database_names():
        if name.startswith(("runnerly", "other")):
            await mongo.drop(name)
    try:
        yield mongo
    finally:
        mongo.close()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder of keys."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "kek").write_bytes(b"\x00\x01secret")
    (folder / "activities.pem").write_text("-----BEGIN")
    return folder


async def fill(mongo: Mongo) -> None:
    """Two databases with what ours have, and one that is none of ours."""
    activities = mongo.database("runnerly_activities")
    await activities.apply([PLACES, CollectionSpec("empty"), CollectionSpec("odd %/name")])
    await activities.collection("places").insert_many(
        [
            {
                "_id": f"place{number}",
                "owner": "anna",
                "at": datetime(2026, 1, 1, tzinfo=UTC),
                "spot": {"type": "Point", "coordinates": [13.4, 52.5]},
                "code": number,
                "nothing": None,
                "long": 2**60,
                "small": 1,
                "whole": 1.0,
                "bytes": b"\x00\xff",
                "deep": {"b": [1, {"a": "ü"}], "a": True},
            }
            for number in range(60)
        ]
    )
    await activities.collection("odd %/name").insert_one({"_id": {"compound": 1, "id": 2}})
    bucket = activities.bucket("originals")
    await bucket.upload_from_stream("first.fit", ORIGINAL)
    await bucket.upload_from_stream("second.fit", ORIGINAL[::-1])
    await mongo.database("runnerly_accounts").collection("people").insert_one({"_id": "anna", "email": "a@example.org"})
    await mongo.database("other").collection("things").insert_one({"_id": 1})


async def contents(mongo: Mongo) -> dict[str, tuple[Shape, list[Any]]]:
    """All that is in the databases of ours: each collection's shape and documents."""
    found = {}
    for name in await mongo.database_names():
        if name.startswith("runnerly"):
            database = mongo.database(name)
            for shape in await shapes(database):
                documents = [each async for each in database.collection(shape.name).find({})]
                found[f"{name}.{shape.name}"] = (shape, sorted(documents, key=lambda each: str(each["_id"])))
    return found


async def test_everything_comes_back_on_another_server(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """Documents with their types, options, validators, indexes, files and keys; that is how one leaves a server."""
    manifest = await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    restored = await restore_backup(new, tmp_path / "archive", keys=tmp_path / "elsewhere")
    assert restored == manifest
    assert await contents(new) == await contents(old)
    assert {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == {
        "kek": b"\x00\x01secret",
        "activities.pem": b"-----BEGIN",
    }
    assert (tmp_path / "elsewhere" / "kek").stat().st_mode & 0o777 == 0o600
    assert "other" not in await new.database_names()
    stream = await new.database("runnerly_activities").bucket("originals").open_download_stream_by_name("first.fit")
    assert await stream.read() == ORIGINAL
    await check_complete(new)


async def test_rules_hold_after_it(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """A restored unique index and validator refuse what they refused before."""
    await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    await restore_backup(new, tmp_path / "archive", keys=keys)
    places = new.database("runnerly_activities").collection("places")
    for refused in ({"owner": "ben", "code": 7}, {"owner": 3}):
        with pytest.raises(Exception, match=r"duplicate key|failed validation"):
            await places.insert_one(refused)


async def test_an_archive_is_of_one_moment(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """Two documents in two databases that always change together are together in the archive."""
    left, right = old.database("runnerly_accounts").collection("left"), old.database("runnerly_bus").collection("right")
    await left.insert_one({"_id": 1, "n": 0})
    await right.insert_one({"_id": 1, "n": 0})
    serving = asyncio.create_task(keep_in_step(old.database("runnerly_accounts")))
    try:
        for turn in range(3):
            archive = tmp_path / f"archive{turn}"
            await take_backup(old, archive, keys=keys, version="1")
            await restore_backup(new, archive, keys=keys, replace=True)
            seen = [
                await new.database(name).collection(collection).find_one({"_id": 1})
                for name, collection in (("runnerly_accounts", "left"), ("runnerly_bus", "right"))
            ]
            assert seen[0] == seen[1]
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def keep_in_step(database: Database) -> None:
    """Change two documents in one transaction, again and again."""

    async def both(session: Any) -> None:
        for name, collection in (("runnerly_accounts", "left"), ("runnerly_bus", "right")):
            await session.client[name][collection].update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)

    while True:
        await database.transact(both)
        await asyncio.sleep(0.001)


async def test_what_is_there_is_not_touched_unasked(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """A restore into a place with data is refused, and changes nothing."""
    await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    await new.database("runnerly_mailer").collection("letters").insert_one({"_id": 1})
    before = await contents(new)
    with pytest.raises(NotEmpty, match="runnerly_mailer"):
        await restore_backup(new, tmp_path / "archive", keys=keys)
    assert await contents(new) == before


async def test_with_replace_the_archive_is_all_there_is(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """What the archive does not have is gone; what is not Runnerly's stays."""
    await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    await new.database("runnerly_mailer").collection("letters").insert_one({"_id": 1})
    await new.database("other").collection("things").insert_one({"_id": 2})
    await restore_backup(new, tmp_path / "archive", keys=keys, replace=True)
    assert await contents(new) == await contents(old)
    assert await new.database("other").collection("things").find_one() == {"_id": 2}


async def test_empty_collections_are_no_obstacle(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """`runnerly migrate` may have been run on the new server first."""
    await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    await new.database("runnerly_activities").apply([PLACES])
    await restore_backup(new, tmp_path / "archive", keys=keys)
    assert await contents(new) == await contents(old)


async def test_another_key_is_not_overwritten_unasked(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """Without its key, what it sealed is lost; with --replace it is kept beside."""
    await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    (keys / "kek").write_bytes(b"another")
    with pytest.raises(NotEmpty, match="kek"):
        await restore_backup(new, tmp_path / "archive", keys=keys)
    assert (keys / "kek").read_bytes() == b"another"
    await restore_backup(new, tmp_path / "archive", keys=keys, replace=True)
    assert (keys / "kek").read_bytes() == b"\x00\x01secret"
    (aside,) = tmp_path.glob("keys.before-restore-*")
    assert (aside / "kek").read_bytes() == b"another"


async def test_a_damaged_archive_changes_nothing(old: Mongo, new: Mongo, keys: Path, tmp_path: Path) -> None:
    """It is judged whole before the first write."""
    await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    whole = (tmp_path / "archive").read_bytes()
    await new.database("runnerly_mailer").collection("letters").insert_one({"_id": 1})
    before = await contents(new)
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole[:-200] + b"\x00" + whole[-199:]):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BadArchive):
            await restore_backup(new, tmp_path / "damaged", keys=keys, replace=True)
    assert await contents(new) == before


async def test_an_interrupted_restore_is_known_and_can_be_repeated(
    old: Mongo, new: Mongo, keys: Path, tmp_path: Path
) -> None:
    """Half a database is never taken for a whole one."""
    await take_backup(old, tmp_path / "archive", keys=keys, version="1")

    def stumble(_: int) -> None:
        raise RuntimeError("the machine is in the way")

    with pytest.raises(RuntimeError, match="in the way"):
        await restore_backup(new, tmp_path / "archive", keys=keys, on_progress=stumble)
    with pytest.raises(Incomplete):
        await check_complete(new)
    await restore_backup(new, tmp_path / "archive", keys=keys, replace=True)
    await check_complete(new)
    assert await contents(new) == await contents(old)


async def test_a_folder_among_the_keys_is_told(old: Mongo, keys: Path, tmp_path: Path) -> None:
    """Better no backup than one that lacks a key."""
    (keys / "more").mkdir()
    with pytest.raises(Unreadable, match="more"):
        await take_backup(old, tmp_path / "archive", keys=keys, version="1")
    assert not (tmp_path / "archive").exists()
