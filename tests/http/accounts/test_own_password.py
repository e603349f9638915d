"""One's own password: changed with the old one, which ends every other session, and told to the owner."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.street import PASSWORD, Answered, Street

NEW = "a new one, long enough"


async def change(town: Street, token: str, old: str = PASSWORD, new: str = NEW) -> Answered:
    return await town.ask("POST", "accounts/me/password", {"old": old, "new": new}, token=token)


async def test_the_new_password_opens_the_old_one_does_not_and_other_sessions_end(town: Street) -> None:
    await town.active_runner()
    here, there = (await town.sign_in()).body, (await town.sign_in()).body

    assert (await change(town, here["access_token"])).status == 204

    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": there["refresh_token"]})).status == 401
    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": here["refresh_token"]})).status == 200
    assert (await town.sign_in(password=PASSWORD)).status == 401
    assert (await town.sign_in(password=NEW)).status == 201
    assert await town.subjects_to("kim@runnerly.test", 2) == [
        "Confirm your e-mail address",
        "Your password was changed",
    ]


async def test_a_wrong_old_password_is_named_and_counts_as_a_failed_sign_in(town: Street) -> None:
    token = await town.active_runner()

    wrong = [await change(town, token, old=f"wrong {number}") for number in range(10)]

    assert {answer.status for answer in wrong} == {422}
    assert wrong[0].body["errors"][0]["field"] == "old"
    assert (await change(town, token)).status == 429
    assert (await town.sign_in()).status == 429


@pytest.mark.parametrize("new", ["7 chars", "password1234567", "kim@runnerly.test", "x" * 129])
async def test_a_new_password_keeps_to_the_rules(town: Street, new: str) -> None:
    token = await town.active_runner()

    refused = await change(town, token, new=new)

    assert (refused.status, [error["field"] for error in refused.body["errors"]]) == (422, ["new"])
    assert (await town.sign_in()).status == 201


async def test_of_two_that_change_it_at_once_one_is_late(town: Street) -> None:
    token = await town.active_runner()

    answers = await asyncio.gather(*(change(town, token, new=f"a pass phrase, number {n}") for n in range(3)))

    assert sorted(answer.status for answer in answers) == [204, 422, 422]


async def test_links_that_were_mailed_before_are_void(town: Street) -> None:
    token = await town.active_runner()
    await town.ask("POST", "accounts/password-resets", {"email": "kim@runnerly.test"})
    body = {"email": "lou@runnerly.test", "password": PASSWORD}
    assert (await town.ask("POST", "accounts/me/email", body, token=token)).status == 202
    resets = await town.secrets_mailed_to("kim@runnerly.test", 2, page="reset-password")
    [confirming] = await town.secrets_mailed_to("lou@runnerly.test", page="confirm-email")

    await change(town, token)

    late = await town.ask("POST", "accounts/me/email/confirm", {"token": confirming})
    assert late.status == 410
    statuses = [
        (await town.ask("POST", "accounts/password-resets/complete", {"token": each, "password": NEW})).status
        for each in resets
    ]
    assert sorted(statuses) == [204, 410], "the one that takes an account back stays good: a thief can change passwords"


async def test_nobody_can_do_it_without_a_session(town: Street) -> None:
    assert (await change(town, "")).status == 401
