"""`runnerly keys` and `runnerly clients`, on a real database."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.chassis.audit import OPERATORS, act_in
from services.chassis.bus.event import Event, decode
from services.chassis.mongo import Mongo
from services.chassis.secrets import KeyFile, Secrets, new_key, read_secrets
from services.chassis.settings import ProcessSettings, WrongSetting
from services.command.key_files import write_once
from services.command.keys import bootstrap, rotate, state_of, tokendealer_database
from services.tokendealer.domain.keys import PUBLISHED_AHEAD, VERIFIES_FOR, published, signer
from services.tokendealer.signing import open_signing_key
from services.tokendealer.store import ClientStore, KeyStore
from tests.support.database import DatabaseServer

NAMES = ("tokendealer", "accounts", "mailer")
NOW = datetime.now(UTC)


@pytest.fixture
async def clean(mongo: Mongo) -> AsyncIterator[Mongo]:
    """A database server without a tokendealer's database."""
    await mongo.drop("runnerly_tokendealer")
    yield mongo
    await mongo.drop("runnerly_tokendealer")


def files(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "keys").iterdir()}


async def test_bootstrap_makes_what_is_missing_and_changes_nothing_again(clean: Mongo, tmp_path: Path) -> None:
    process = ProcessSettings(home=tmp_path)
    made = await bootstrap(process, clean, NAMES)
    assert len(made) == 5
    first = files(tmp_path)
    assert first.keys() == {"kek", "tokendealer.pem", "accounts.pem", "mailer.pem"}
    assert await bootstrap(process, clean, NAMES) == []
    assert files(tmp_path) == first
    clients = await ClientStore(tokendealer_database(clean)).all()
    assert [(client.id, client.kind, len(client.keys)) for client in clients] == [
        (name, "service", 1) for name in sorted(NAMES)
    ]


async def test_only_the_owner_can_read_the_keys(clean: Mongo, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await bootstrap(ProcessSettings(home=tmp_path), clean, NAMES)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


async def test_several_may_bootstrap_at_once(clean: Mongo, database_server: DatabaseServer, tmp_path: Path) -> None:
    environ = {**os.environ, "MONGODB_URI": database_server.uri, "RUNNERLY_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "services", "keys", "bootstrap"]
    running = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    for thing in ("key-encryption key", "first signing key", "key of accounts"):
        assert sum(thing in text for text in said) == 1, said
    keys = await KeyStore(tokendealer_database(clean)).all()
    assert len(keys) == 1
    assert open_signing_key(keys[0], read_secrets(ProcessSettings(home=tmp_path)))
    assert [len(client.keys) for client in await ClientStore(tokendealer_database(clean)).all()] == [1] * 5


async def test_a_kek_elsewhere_is_used(clean: Mongo, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret"
    elsewhere.write_text(KeyFile.fresh().text())
    process = ProcessSettings(home=tmp_path / "var", kek_file=elsewhere)
    made = await bootstrap(process, clean, ["accounts"])
    assert not (tmp_path / "var" / "keys" / "kek").exists()
    assert not any("key-encryption" in thing for thing in made)


async def test_a_lost_kek_is_never_replaced_behind_our_back(clean: Mongo, tmp_path: Path) -> None:
    process = ProcessSettings(home=tmp_path)
    await bootstrap(process, clean, NAMES)
    (tmp_path / "keys" / "kek").unlink()
    with pytest.raises(WrongSetting, match="put the file back"):
        await bootstrap(process, clean, NAMES)
    assert not (tmp_path / "keys" / "kek").exists()
    (tmp_path / "keys" / "kek").write_text(KeyFile.fresh().text())
    with pytest.raises(WrongSetting, match="sealed with another key-encryption key"):
        await bootstrap(process, clean, NAMES)
    await rotate(tokendealer_database(clean), read_secrets(process), datetime.now(UTC), revoke=True)
    await bootstrap(process, clean, NAMES)


async def test_a_second_machine_with_keys_of_its_own_is_known_beside_the_first(clean: Mongo, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    await bootstrap(ProcessSettings(home=one), clean, ["accounts"])
    await bootstrap(ProcessSettings(home=other, kek_file=one / "keys" / "kek"), clean, ["accounts"])
    client = await ClientStore(tokendealer_database(clean)).find("accounts")
    assert client is not None
    assert len(client.keys) == 2


async def test_a_kek_that_can_not_be_written_says_what_to_set(clean: Mongo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = ProcessSettings(home=tmp_path, kek_file=tmp_path / "file" / "kek")
    with pytest.raises(WrongSetting, match="RUNNERLY_KEK_FILE"):
        await bootstrap(process, clean, NAMES)


async def test_a_new_key_is_published_before_it_signs_and_the_old_one_verifies_on(clean: Mongo) -> None:
    box, database = Secrets(new_key()), tokendealer_database(clean)
    first = await rotate(database, box, NOW)
    assert first.signs_from <= NOW + timedelta(milliseconds=1)
    second = await rotate(database, box, NOW)
    assert (await rotate(database, box, NOW)).kid == second.kid
    keys = await KeyStore(database).all()
    assert [key.kid for key in published(keys, NOW)] == [first.kid, second.kid]
    assert signer(keys, NOW).kid == first.kid  # type: ignore[union-attr]
    later = NOW + PUBLISHED_AHEAD + timedelta(seconds=1)
    assert signer(keys, later).kid == second.kid  # type: ignore[union-attr]
    assert [key.kid for key in published(keys, later)] == [first.kid, second.kid]
    last = later + VERIFIES_FOR
    assert [key.kid for key in published(keys, last)] == [second.kid]
    assert [state_of(keys, key, NOW) for key in keys] == ["signs", "published"]
    assert [state_of(keys, key, later) for key in keys] == ["verifies", "signs"]
    assert [state_of(keys, key, last) for key in keys] == ["past", "signs"]
    third = await rotate(database, box, last)
    assert [key.kid for key in await KeyStore(database).all()] == [second.kid, third.kid]


async def test_a_rotation_under_way_is_not_begun_again_not_even_at_once(clean: Mongo) -> None:
    box, database = Secrets(new_key()), tokendealer_database(clean)
    await rotate(database, box, NOW)
    made = await asyncio.gather(*(rotate(database, box, NOW) for _ in range(6)))
    assert len({key.kid for key in made}) == 1
    assert len(await KeyStore(database).all()) == 2


async def test_withdrawing_leaves_the_new_key_alone(clean: Mongo) -> None:
    box, database = Secrets(new_key()), tokendealer_database(clean)
    for _ in range(2):
        await rotate(database, box, NOW)
    new = await rotate(database, box, NOW, revoke=True)
    keys = await KeyStore(database).all()
    moment = NOW + timedelta(seconds=1)
    assert [key.kid for key in published(keys, moment)] == [new.kid]
    assert signer(keys, moment).kid == new.kid  # type: ignore[union-attr]
    assert [state_of(keys, key, moment) for key in keys] == ["withdrawn", "withdrawn", "signs"]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> str:
        raise RuntimeError("no entropy")

    path = tmp_path / "keys" / "kek"
    with pytest.raises(RuntimeError):
        write_once(path, broken)
    assert list((tmp_path / "keys").iterdir()) == []
    assert write_once(path, lambda: "one")
    assert not write_once(path, lambda: "two")
    assert path.read_text() == "one"
    assert [entry.name for entry in (tmp_path / "keys").iterdir()] == ["kek"]


def runnerly(server: DatabaseServer, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "MONGODB_URI": server.uri, "RUNNERLY_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "services", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_the_commands_tell_what_they_did(clean: Mongo, database_server: DatabaseServer, tmp_path: Path) -> None:
    def say(*arguments: str) -> str:
        done = runnerly(database_server, tmp_path, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert "Made the first signing key" in say("keys", "bootstrap")
    assert say("keys", "list").count("signs\n") == 1
    assert "signs from" in say("keys", "rotate")
    assert "published" in say("keys", "list")
    added = dict(
        line.split("=") for line in say("clients", "add", "a club's site", "--scope", "activities:read").split()
    )
    assert added.keys() == {"client_id", "client_secret"}
    listed = say("clients", "list")
    assert f"{added['client_id']}  app  a club's site  [activities:read]  secret" in listed
    assert added["client_secret"] not in listed
    assert "Removed" in say("clients", "remove", added["client_id"])
    again = runnerly(database_server, tmp_path, "clients", "remove", added["client_id"])
    assert (again.returncode, "There is no client" in again.stderr) == (1, True)
    waiting = [decode(each["body"]) async for each in tokendealer_database(clean).collection("outbox").find()]
    acts = [act_in(event) for event in waiting if isinstance(event, Event)]
    assert [(act.action, act.actor) for act in acts] == [
        ("keys.rotated", OPERATORS),
        ("client.added", OPERATORS),
        ("client.removed", OPERATORS),
    ]
    assert [act.subject and act.subject.id for act in acts[1:]] == 2 * [added["client_id"]]


def test_a_command_finds_the_embedded_database_where_none_is_set(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    done = subprocess.run(
        [sys.executable, "-m", "services", "keys", "bootstrap"],
        env={**environ, "RUNNERLY_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "All keys are there" in done.stdout) == (0, True), done.stderr
    assert (tmp_path / "mongo").is_dir()


@pytest.mark.parametrize(
    "arguments", [["--scope", "service"], ["--scope", "account"], ["--scope", "made:up"], []], ids=str
)
def test_a_client_gets_no_scope_that_is_not_for_clients(
    arguments: list[str], database_server: DatabaseServer, tmp_path: Path
) -> None:
    done = runnerly(database_server, tmp_path, "clients", "add", "x", *arguments)
    assert done.returncode == 2
