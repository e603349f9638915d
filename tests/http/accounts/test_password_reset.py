"""A new password by mail: it works once, ends every session, and tells strangers nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.sessions import Tokens
from tests.support.street import PASSWORD, Answered, Street
from tests.support.waiting import eventually_is

NEW = "a new one, long enough"


async def forget(town: Street, email: str = "kim@runnerly.test") -> Answered:
    return await town.ask("POST", "accounts/password-resets", {"email": email})


async def choose(town: Street, secret: str, password: str = NEW) -> Answered:
    return await town.ask("POST", "accounts/password-resets/complete", {"token": secret, "password": password})


async def link_for(town: Street, email: str = "kim@runnerly.test") -> str:
    await forget(town, email)
    return (await town.secrets_mailed_to(email, page="reset-password"))[-1]


async def test_the_new_password_opens_the_old_one_does_not_and_sessions_end(town: Street) -> None:
    await town.active_runner()
    refresh = (await town.sign_in()).body["refresh_token"]
    secret = await link_for(town)

    assert (await choose(town, secret)).status == 204

    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": refresh})).status == 401
    assert (await town.sign_in(password=PASSWORD)).status == 401
    assert (await town.sign_in(password=NEW)).status == 201
    assert (await choose(town, secret, "yet another one")).status == 410


async def test_a_session_with_the_new_password_outlives_the_news_of_it(town: Street) -> None:
    await town.active_runner()
    await choose(town, await link_for(town))
    refresh = (await town.sign_in(password=NEW)).body["refresh_token"]
    inbox = town.database.collection("inbox")

    async def heard() -> int:
        return await inbox.count_documents({"_id": {"$regex": "^accounts-sessions/"}})

    await eventually_is(2, heard)  # of the activation, and of the new password

    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": refresh})).status == 200


async def test_strangers_learn_nothing(town: Street) -> None:
    await town.active_runner()

    known, unknown = await forget(town), await forget(town, "nobody@runnerly.test")

    assert (known.status, known.body) == (unknown.status, unknown.body) == (202, {})
    await town.secrets_mailed_to("kim@runnerly.test", page="reset-password")
    assert town.mails_to("nobody@runnerly.test") == []


async def test_a_password_that_is_refused_does_not_use_up_the_link(town: Street) -> None:
    await town.active_runner()
    secret = await link_for(town)

    assert (await choose(town, secret, "short")).status == 422
    assert (await choose(town, secret)).status == 204


async def test_of_two_that_use_a_link_at_once_one_is_late(town: Street) -> None:
    await town.active_runner()
    secret = await link_for(town)

    answers = await asyncio.gather(*(choose(town, secret, f"a pass phrase, number {number}") for number in range(4)))

    assert sorted(answer.status for answer in answers) == [204, 410, 410, 410]


async def test_a_link_is_good_for_its_purpose_only(town: Street) -> None:
    await town.register()
    [activation] = await town.secrets_mailed_to("kim@runnerly.test")
    reset = await link_for(town)

    assert (await choose(town, activation)).status == 410
    assert (await town.activate(reset)).status == 410


async def test_the_link_confirms_the_address_and_no_older_registration_comes_back(town: Street) -> None:
    await town.register()
    await town.secrets_mailed_to("kim@runnerly.test")
    await town.register(password="the attacker's password")
    _, attackers = await town.secrets_mailed_to("kim@runnerly.test", 2)
    assert (await choose(town, await link_for(town))).status == 204

    await town.activate(attackers)

    assert (await town.sign_in(password="the attacker's password")).status == 401
    signed_in = await town.sign_in(password=NEW)
    assert "account" in signed_in.body["scope"].split()


async def test_whoever_was_locked_out_by_a_guesser_gets_in_with_a_new_password(town: Street) -> None:
    await town.active_runner()
    for number in range(11):
        await town.sign_in(password=f"wrong {number}")
    assert (await town.sign_in()).status == 429

    await choose(town, await link_for(town))

    assert (await town.sign_in(password=NEW)).status == 201


async def test_a_sign_in_that_a_new_password_overtakes_opens_nothing(
    town: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.active_runner()
    secret = await link_for(town)
    issue = Tokendealer.issue

    async def issue_late(self: Tokendealer, *order: Any) -> Tokens:
        assert (await choose(town, secret)).status == 204
        return await issue(self, *order)

    monkeypatch.setattr(Tokendealer, "issue", issue_late)

    assert (await town.sign_in()).kind == "invalid-credentials"
    monkeypatch.undo()
    token = (await town.sign_in(password=NEW)).body["access_token"]
    assert len((await town.ask("GET", "sessions", token=token)).body["items"]) == 1
