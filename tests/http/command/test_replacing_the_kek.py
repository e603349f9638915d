"""The key-encryption key is replaced while Runnerly serves: nobody is signed out, and the old key opens nothing any more."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.accounts.store import second_factors
from services.chassis.mongo import Binary, Mongo
from services.chassis.resealing import Resealed, reseal
from services.chassis.secrets import Secrets, key_file_path, new_key, read_key_file, read_secrets
from services.chassis.settings import ProcessSettings, WrongSetting
from services.command.audit import examine
from services.command.key_files import add_kek, forget_keks
from services.command.keys import bootstrap, reseal_all, rotate, tokendealer_database
from tests.support.authenticator import forget_used_steps, turned_on
from tests.support.database import DatabaseServer
from tests.support.street import NAMES, PASSWORD, Street, street
from tests.support.traces import traces
from tests.support.waiting import eventually_is

KIM, LOU = "kim@runnerly.test", "lou@runnerly.test"
NEVER_ANSWERS = {"RUNNERLY_PEOPLE_OWNERS": "tokendealer,accounts,mailer,nobody"}


def mark_of(kek: bytes) -> bytes:
    """How everything begins that this key sealed."""
    return Secrets(kek).seal(b"")[:9]


def in_words(done: list[Resealed]) -> set[str]:
    return {f"{one.collection} {one.anew} {one.lost}" for one in done if one.anew or one.lost}


def told(signing_keys: int) -> str:
    """What the command says of what was sealed anew, where there are signing keys only."""
    rows = {"tokendealer.signing_keys": signing_keys, "accounts.second_factors": 0, "accounts.deletions": 0}
    return "".join(f"{collection}: {number} sealed anew\n" for collection, number in rows.items())


async def leave(town: Street, email: str) -> None:
    """Have somebody deleted, whom one owner never confirms: so their deletion goes on, with who it is sealed in it."""
    token = await town.active_runner(email)
    assert (await town.ask("POST", "accounts/me/deletion", {"password": PASSWORD}, token=token)).status == 202


async def test_nobody_notices(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with street(database_server, tmp_path, **NEVER_ANSWERS) as town:
        app = await turned_on(town, await town.active_runner(KIM))
        await leave(town, LOU)
        await forget_used_steps(town)
        signed_in = (await town.sign_in(KIM, otp=app.code_now())).body
        [old] = read_key_file(town.settings).keks
        databases = [*(service.database for service in town.services), "runnerly_bus"]

        add_kek(town.settings)
        await forget_used_steps(town)
        assert (await town.sign_in(KIM, otp=app.code_now())).status == 201, "what runs still opens what it sealed"
        box = read_secrets(town.settings)
        done = await reseal_all(town.mongo, box)
        assert in_words(done) == {
            "tokendealer.signing_keys 1 0",
            "accounts.second_factors 1 0",
            "accounts.deletions 1 0",
        }
        await rotate(tokendealer_database(town.mongo), box, datetime.now(UTC), revoke=True)
        await forget_used_steps(town)
        assert (await town.sign_in(KIM, otp=app.code_now())).status == 201, (
            "and what the new one did, without a restart"
        )

        async def of_the_old_one() -> list[str]:
            return await traces(town.mongo, [mark_of(old)], databases)

        await eventually_is([], of_the_old_one)
        assert in_words(await reseal_all(town.mongo, box)) == set()
        assert forget_keks(town.settings) == 1

    async with street(database_server, tmp_path, fresh=False, **NEVER_ANSWERS) as town:
        refreshed = await town.ask("POST", "sessions/refresh", {"refresh_token": signed_in["refresh_token"]})
        assert refreshed.status == 200, "sign-ins go on"
        assert (await town.ask("GET", "accounts/me", token=refreshed.body["access_token"])).status == 200
        await forget_used_steps(town)
        assert (await town.sign_in(KIM, otp=app.code_now())).status == 201
        assert (await town.sign_in(KIM, otp=app.recovery_codes[0])).status == 201
        assert (await examine(town.database, read_secrets(town.settings)))[1] == []
    async with street(database_server, tmp_path, fresh=False) as town:
        deletions = town.database.collection("deletions")
        await eventually_is(1, lambda: deletions.count_documents({"told_at": {"$exists": True}}))


async def test_it_goes_on_where_it_was_interrupted_and_tells_what_it_can_not_open(mongo: Mongo) -> None:
    database = mongo.database("runnerly_resealing")
    old, new, lost = new_key(), new_key(), Secrets(new_key())
    box = Secrets(new, old)
    collection = database.collection(second_factors.SECOND_FACTORS)
    try:
        for number in range(5):
            sealed = Secrets(old).seal(b"secret", bound_to=f"accounts.second-factor/{number}")
            await collection.insert_one({"_id": str(number), "secret": Binary(sealed)})
        await collection.insert_one({"_id": "lost", "secret": Binary(lost.seal(b"?"))})

        class Killed(Secrets):
            left = 2

            def seal(self, plain: bytes, *, bound_to: str = "") -> bytes:
                if not self.left:
                    raise KeyboardInterrupt
                self.left -= 1
                return super().seal(plain, bound_to=bound_to)

        with pytest.raises(KeyboardInterrupt):
            await reseal(database, second_factors.COLLECTIONS, Killed(new, old))
        assert in_words(await reseal(database, second_factors.COLLECTIONS, box)) == {"second_factors 3 1"}
        assert in_words(await reseal(database, second_factors.COLLECTIONS, box)) == {"second_factors 0 1"}
        for number in range(5):
            found = await collection.find_one({"_id": str(number)})
            assert found
            assert Secrets(new).open(bytes(found["secret"]), bound_to=f"accounts.second-factor/{number}") == b"secret"
    finally:
        await mongo.drop("runnerly_resealing")


async def test_the_commands(mongo: Mongo, database_server: DatabaseServer, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "services", "keys", *arguments],
            env={**os.environ, "MONGODB_URI": database_server.uri, "RUNNERLY_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    for name in ("runnerly_tokendealer", "runnerly_accounts"):
        await mongo.drop(name)
    process = ProcessSettings(home=tmp_path)
    await bootstrap(process, mongo, NAMES)
    before = read_key_file(process)

    assert run("reseal", "--forget") == (0, told(0) + f"0 earlier keys are gone from {key_file_path(process)}\n")
    code, said = run("replace-kek")
    assert (code, "restart what runs with it" in said) == (0, True)
    both = read_key_file(process)
    assert (both.keks[1:], both.hashing, len(set(both.keks))) == (before.keks, before.hashing, 2)
    assert key_file_path(process).stat().st_mode & 0o777 == 0o600
    code, said = run("replace-kek")
    assert (code, "finish that first" in said, read_key_file(process)) == (78, True, both)

    code, said = run("reseal", "--forget")
    assert (code, "run this again in an hour" in said, read_key_file(process)) == (1, True, both)
    assert run("reseal") == (0, told(0))
    assert run("reseal", "--forget") == (0, told(0) + f"1 earlier keys are gone from {key_file_path(process)}\n")
    assert read_key_file(process) == type(both)(both.keks[:1], both.hashing)
    assert [path.name for path in (tmp_path / "keys").iterdir() if path.name.startswith(".")] == []
    assert await bootstrap(process, mongo, NAMES) == [], "the signing key opens"


def test_a_file_that_can_not_be_changed_is_told(tmp_path: Path) -> None:
    process = ProcessSettings(kek_file=tmp_path / "nowhere" / "kek")
    with pytest.raises(WrongSetting, match="can't be written"):
        add_kek(process)
