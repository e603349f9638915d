"""What must happen once, on the real database, with many trying at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.mongo import Database, DatabaseError
from services.chassis.secrets import Secrets, new_key
from services.tokendealer.domain.clients import SERVICE_GRANTS, Client, PublicKey
from services.tokendealer.domain.families import Family
from services.tokendealer.signing import new_signing_key
from services.tokendealer.store import COLLECTIONS, AssertionStore, ClientStore, FamilyStore, KeyStore, Taken

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
async def database(database: Database) -> Database:
    await database.apply(COLLECTIONS)
    return database


def family(id_: str = "f" * 24, sub: str = "runner-1", **changes: object) -> Family:
    fields = {
        "id": id_,
        "sub": sub,
        "client_id": "runnerly",
        "scopes": ("account", "hotelier"),
        "label": "",
        "generation": 1,
        "seed": b"s" * 32,
        "created_at": NOW,
        "rotated_at": NOW,
        "expires_at": LATER,
    }
    return Family(**(fields | changes))  # type: ignore[arg-type]


async def test_values_come_back_as_they_were(database: Database) -> None:
    families, keys = FamilyStore(database), KeyStore(database)
    await families.add(family())
    assert await families.find("f" * 24, NOW) == family()
    key = new_signing_key(1, NOW, Secrets(new_key()))
    await keys.add(key)
    (found,) = await keys.all()
    assert (found.kid, found.n, found.sealed, found.signs_from) == (key.kid, key.n, key.sealed, NOW)


async def test_of_many_rotations_at_once_one_happens(database: Database) -> None:
    families = FamilyStore(database)
    await families.add(family())
    done = await asyncio.gather(*(families.rotate(family(), NOW, LATER) for _ in range(20)))
    assert [rotated.generation for rotated in done if rotated] == [2]


async def test_an_ended_family_is_not_rotated_back_to_life(database: Database) -> None:
    families = FamilyStore(database)
    await families.add(family())
    rotations = [families.rotate(family(), NOW, LATER) for _ in range(5)]
    await asyncio.gather(*rotations, families.end("f" * 24))
    assert await families.find("f" * 24, NOW) is None
    assert await families.rotate(family(), NOW, LATER) is None


async def test_an_expired_family_is_gone_before_the_database_clears_it_away(database: Database) -> None:
    families = FamilyStore(database)
    await families.add(family(expires_at=NOW))
    assert await families.find("f" * 24, NOW) is None
    assert await families.rotate(family(), NOW, LATER) is None
    assert await families.of_person("runner-1", NOW) == []


async def test_an_assertion_is_used_once_and_by_its_client_only(database: Database) -> None:
    assertions = AssertionStore(database)
    used = await asyncio.gather(*(assertions.use("accounts", "jti", LATER) for _ in range(20)))
    assert used.count(True) == 1
    assert await assertions.use("mailer", "jti", LATER)


async def test_of_many_first_keys_one_is_kept(database: Database) -> None:
    keys, box = KeyStore(database), Secrets(new_key())
    made = [new_signing_key(1, NOW, box) for _ in range(4)]
    results = await asyncio.gather(*(keys.add(key) for key in made), return_exceptions=True)
    assert sum(isinstance(result, Taken) for result in results) == 3
    assert len(await keys.all()) == 1


async def test_a_service_is_introduced_once_however_many_do(database: Database) -> None:
    clients = ClientStore(database)
    service = Client("mailer", "x", "service", ("service",), SERVICE_GRANTS, ("accounts",), NOW)
    keys = [PublicKey(f"k{number}", "ES256", "pem") for number in range(2)]
    await asyncio.gather(*(clients.introduce(service, keys[number % 2]) for number in range(10)))
    (found,) = await clients.all()
    assert sorted(key.kid for key in found.keys) == ["k0", "k1"]
    with pytest.raises(Taken):
        await clients.add(service)


async def test_what_a_person_may_do_is_lessened_everywhere_and_extended_in_our_own_client(database: Database) -> None:
    families = FamilyStore(database)
    await families.add(family("own" * 8))
    await families.add(family("app" * 8, client_id="app-1"))
    await families.add(family("not" * 8, sub="runner-2"))
    await families.allow("runner-1", "runnerly", ("account", "admin"), None)
    got = [await families.find(name * 8, NOW) for name in ("own", "app", "not")]
    assert [found.scopes for found in got if found] == [("account", "admin"), ("account",), ("account", "hotelier")]


async def test_every_question_is_answered_by_an_index(database: Database) -> None:
    indexes = await database.collection("families").index_information()
    assert {"expiry", "by_person", "by_client"} <= indexes.keys()
    assert indexes["expiry"]["expireAfterSeconds"] == 0
    assert (await database.collection("assertions").index_information())["expiry"]["expireAfterSeconds"] == 0


async def test_a_document_that_is_no_family_is_refused(database: Database) -> None:
    with pytest.raises(DatabaseError):
        await database.collection("families").insert_one({"_id": "x", "sub": {"$ne": None}})
