"""Registering and activating: one account an address, a mail either way, and nothing to be learned of others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.street import PASSWORD, Street
from tests.support.waiting import eventually, eventually_is


async def test_who_registers_gets_a_link_that_works_once(town: Street) -> None:
    assert (await town.register("Kim@Runnerly.test", locale="de")).status == 202
    [secret] = await town.secrets_mailed_to("Kim@runnerly.test")

    first, again = await town.activate(secret), await town.activate(secret)

    assert (first.status, first.body) == (200, {"email": "Kim@runnerly.test"})
    assert (again.status, again.kind) == (410, "link-gone")
    [mail] = town.mails_to("Kim@runnerly.test")
    assert mail["Subject"] == "Bestätige deine E-Mail-Adresse"


async def test_an_invented_link_is_gone_too(town: Street) -> None:
    assert (await town.activate("x" * 43)).status == 410


async def test_a_link_that_has_expired_is_gone(town: Street) -> None:
    await town.register()
    [secret] = await town.secrets_mailed_to("kim@runnerly.test")
    links = town.database.collection("links")
    [link] = await links.find().to_list(None)
    assert timedelta(hours=47) < link["expires_at"] - datetime.now(UTC) < timedelta(hours=49)
    assert secret not in str(link)

    await links.update_one({}, {"$set": {"expires_at": datetime.now(UTC)}})

    assert (await town.activate(secret)).status == 410


async def test_of_two_that_use_a_link_at_once_one_is_late(town: Street) -> None:
    await town.register()
    [secret] = await town.secrets_mailed_to("kim@runnerly.test")

    answers = await asyncio.gather(*(town.activate(secret) for _ in range(6)))

    assert sorted(answer.status for answer in answers) == [200, 410, 410, 410, 410, 410]


async def test_registrations_of_one_address_at_once_make_one_account(town: Street) -> None:
    spellings = ["kim@runnerly.test", "KIM@runnerly.test", " kim@RUNNERLY.test", "kim@runnerly.test"]

    answers = await asyncio.gather(*(town.register(spelling) for spelling in spellings))

    assert [(answer.status, answer.body) for answer in answers] == 4 * [(202, {})]
    assert await town.database.collection("accounts").count_documents({}) == 1


async def test_the_owner_of_a_known_address_is_told_and_nobody_else(town: Street) -> None:
    await town.active_runner()

    stranger = await town.register("kim@runnerly.test", "another password", locale="fr")
    newcomer = await town.register("lou@runnerly.test", "another password")

    assert (stranger.status, stranger.body) == (newcomer.status, newcomer.body) == (202, {})
    differing = {"Date", "Content-Length"}
    assert {k: v for k, v in stranger.headers.items() if k not in differing} == {
        k: v for k, v in newcomer.headers.items() if k not in differing
    }
    await eventually(lambda: len(town.mails_to("kim@runnerly.test")) == 2)
    assert town.mails_to("kim@runnerly.test")[1]["Subject"] == "You already have an account"
    assert (await town.sign_in(password="another password")).status == 401
    assert (await town.sign_in()).status == 201


async def test_a_password_laid_in_wait_on_somebody_s_address_is_not_what_the_owner_confirms(town: Street) -> None:
    await town.register("kim@runnerly.test", "the attacker's own", name="Eve")
    await town.secrets_mailed_to("kim@runnerly.test")
    latest = {"token": (await town.sign_in(password="the attacker's own")).body["refresh_token"]}
    await town.register("kim@runnerly.test", PASSWORD, name="Kim")
    _, owners = await town.secrets_mailed_to("kim@runnerly.test", 2)

    assert (await town.activate(owners)).status == 200

    assert (await town.sign_in(password="the attacker's own")).status == 401
    token = (await town.sign_in()).body["access_token"]
    assert (await town.ask("GET", "accounts/me", token=token)).body["name"] == "Kim"

    async def refreshed() -> int:
        renewed = await town.ask("POST", "sessions/refresh", {"refresh_token": latest["token"]})
        latest["token"] = renewed.body.get("refresh_token", latest["token"])  # or it would end for being used twice
        return renewed.status

    await eventually_is(401, refreshed)


async def test_the_link_is_mailed_again_to_who_needs_it_only(town: Street) -> None:
    await town.active_runner("kim@runnerly.test")
    await town.register("lou@runnerly.test")
    await town.secrets_mailed_to("lou@runnerly.test")

    answers = [
        await town.ask("POST", "accounts/activation-mails", {"email": email})
        for email in ("lou@runnerly.test", "kim@runnerly.test", "nobody@runnerly.test")
    ]

    assert [(answer.status, answer.body) for answer in answers] == 3 * [(202, {})]
    first, second = await town.secrets_mailed_to("lou@runnerly.test", 2)
    assert (await town.activate(second)).status == 200
    assert (await town.activate(first)).status == 410
    assert len(town.mails_to("kim@runnerly.test")) == 1
    assert town.mails_to("nobody@runnerly.test") == []


async def test_nobody_can_flood_a_mailbox_through_us(town: Street) -> None:
    for _ in range(8):
        assert (await town.register()).status == 202
        assert (await town.ask("POST", "accounts/activation-mails", {"email": "kim@runnerly.test"})).status == 202
    await town.register("lou@runnerly.test")
    await town.secrets_mailed_to("lou@runnerly.test")

    await eventually(lambda: len(town.mails_to("kim@runnerly.test")) >= 5)
    assert len(town.mails_to("kim@runnerly.test")) == 5


async def test_a_registration_that_is_repeated_with_its_key_is_one(town: Street) -> None:
    for _ in range(3):
        body = {"email": "kim@runnerly.test", "password": PASSWORD, "name": "Kim"}
        assert (await town.ask("POST", "accounts", body, Idempotency_Key="k1")).status == 202
    await town.register("lou@runnerly.test")
    await town.secrets_mailed_to("lou@runnerly.test")

    assert len(town.mails_to("kim@runnerly.test")) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "kim"}, "email"),
        ({"email": "kim@runnerly.test\r\nBcc: all@runnerly.test"}, "email"),
        ({"password": "7 chars"}, "password"),
        ({"password": "password1234567"}, "password"),
        ({"password": "kim@runnerly.test"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"locale": "../de"}, "locale"),
        ({"timezone": "Mars"}, "timezone"),
        ({"roles": ["admin"]}, "roles"),
        ({"password": None}, "password"),
    ],
)
async def test_what_can_t_be_an_account_names_the_field(town: Street, change: dict[str, object], field: str) -> None:
    answer = await town.register(**{"email": "kim@runnerly.test", "password": PASSWORD, **change})  # type: ignore[arg-type]

    assert answer.status == 422
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert await town.database.collection("accounts").count_documents({}) == 0


async def test_an_address_of_another_script_works_all_the_way(town: Street) -> None:
    await town.register("zoë@exämple.de")
    [secret] = await town.secrets_mailed_to("zoë@xn--exmple-cua.de")

    assert (await town.activate(secret)).body == {"email": "zoë@exämple.de"}
    assert (await town.sign_in("ZOË@EXÄMPLE.DE")).status == 201


async def test_nothing_secret_is_kept_in_the_clear(town: Street) -> None:
    await town.register()
    [secret] = await town.secrets_mailed_to("kim@runnerly.test")

    for name in await town.mongo.database_names():
        if not name.startswith("runnerly_"):
            continue
        database = town.mongo.database(name)
        for collection in await database.collection_names():
            stored = str(await database.collection(collection).find({}).to_list(None))
            assert PASSWORD not in stored
            if name == "runnerly_accounts":
                assert secret not in stored or collection == "outbox"
