"""`runnerly backup` and `restore` as one types them, and the database that commands find or bring."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from services.chassis.mongo import Migration, Mongo
from services.chassis.service import Service
from services.chassis.settings import ProcessSettings, WrongSetting
from services.command.backup import back_up_before_upgrade
from services.command.database import database
from tests.support.database import DatabaseServer
from tests.support.gelf import UdpReceiver

ROOT = Path(__file__).parents[3]


@pytest.fixture
def process(tmp_path: Path) -> ProcessSettings:
    """An embedded Runnerly with a home of its own and a key."""
    (tmp_path / "home" / "keys").mkdir(parents=True)
    (tmp_path / "home" / "keys" / "kek").write_bytes(b"key")
    return ProcessSettings(home=tmp_path / "home")


def runnerly(process: ProcessSettings, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What a command says, and how it ends."""
    clean = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    return subprocess.run(
        [sys.executable, "-m", "services", *arguments],
        cwd=ROOT,
        env={**clean, "RUNNERLY_HOME": str(process.home), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_commands_share_the_database_that_runs(process: ProcessSettings) -> None:
    """The one that came first keeps it; the other finds it, and neither leaves anything of it behind."""
    async with database(process, share=False) as first:
        async with database(process) as second:
            assert second.mongodb_uri == first.mongodb_uri
        mongo = Mongo(first.mongodb_uri)
        await mongo.ping()
        mongo.close()
    assert (process.home / "run" / "database").read_text() == ""


async def test_two_whole_runnerlys_do_not_share_a_home(process: ProcessSettings) -> None:
    """The second is told, before it touches anything."""
    async with database(process, share=False):
        with pytest.raises(WrongSetting, match="Another Runnerly"):
            await database(process, share=False).__aenter__()


async def test_a_database_that_is_set_is_taken(process: ProcessSettings) -> None:
    """Nothing is started beside it."""
    named = msgspec.structs.replace(process, mongodb_uri="mongodb://db.example")
    async with database(named) as found:
        assert found is named
    assert not (process.home / "run").exists()


async def test_from_the_embedded_database_to_another(
    process: ProcessSettings, own_database_server: DatabaseServer, tmp_path: Path
) -> None:
    """Back up while it runs, restore where MONGODB_URI says, and be told in exit codes what can't be done."""
    archive = str(tmp_path / "archive")
    async with database(process) as running:
        mongo = Mongo(running.mongodb_uri)
        await mongo.database("runnerly_activities").collection("activities").insert_one({"_id": "a1", "km": 10})
        await mongo.database("runnerly_activities").collection("buckets").insert_one({"_id": "s3://runs"})
        mongo.close()
        with UdpReceiver() as graylog:
            made = runnerly(process, "backup", archive, GELF_URL=graylog.url)
            assert made.returncode == 0, made.stderr
            (told,) = graylog.wait_for(1)
        assert "2 documents in 2 collections" in made.stdout
        assert "Files as they were uploaded are in s3://runs, which is not in it" in made.stdout
        assert (told["_event"], told["_documents"]) == ("backup.written", 2)
        assert runnerly(process, "restore", archive).returncode == 78  # it runs
    assert runnerly(process, "backup", archive).returncode == 6  # the file is there
    assert runnerly(process, "restore", archive).returncode == 4  # so is the data
    elsewhere = {"MONGODB_URI": own_database_server.uri}
    (tmp_path / "broken").write_bytes(Path(archive).read_bytes()[:-5])
    assert runnerly(process, "restore", str(tmp_path / "broken"), **elsewhere).returncode == 3
    restored = runnerly(process, "restore", archive, **elsewhere)
    assert restored.returncode == 0, restored.stderr
    mongo = Mongo(own_database_server.uri)
    found = await mongo.database("runnerly_activities").collection("activities").find_one()
    mongo.close()
    assert found == {"_id": "a1", "km": 10}


async def test_a_backup_comes_before_a_migration(process: ProcessSettings, own_mongo: Mongo) -> None:
    """Only where there is something to lose and something about to change; the oldest make room."""

    async def nothing(_: object) -> None:
        """Change nothing."""

    migrating = Service(
        name="activities",
        summary="",
        prefixes=(),
        routes=(),
        settings=ProcessSettings,
        build=None,  # type: ignore[arg-type] - nothing is built here
        migrations=(Migration("0001", nothing),),
    )
    assert await back_up_before_upgrade(process, own_mongo, [migrating]) is None  # a first start: nothing to lose
    await own_mongo.database(migrating.database).collection("activities").insert_one({"_id": 1})
    taken = [await back_up_before_upgrade(process, own_mongo, [migrating]) for _ in range(6)]
    kept = sorted((process.home / "backups").iterdir())
    assert kept == taken[1:]
    await own_mongo.database(migrating.database).apply((), migrating.migrations)
    assert await back_up_before_upgrade(process, own_mongo, [migrating]) is None  # nothing is about to change
