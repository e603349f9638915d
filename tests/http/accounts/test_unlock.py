"""The way out for who was locked out by a guesser: a mail, once a lock, whose link ends the wait."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.database import DatabaseServer
from tests.support.street import Answered, Street, street

KIM = "kim@runnerly.test"


async def guess(town: Street, number: int, email: str = KIM) -> list[Answered]:
    return list(await asyncio.gather(*(town.sign_in(email, f"wrong {each}") for each in range(number))))


async def unlock(town: Street, secret: str) -> Answered:
    return await town.ask("POST", "accounts/unlocks", {"token": secret})


async def test_the_link_ends_the_wait_and_is_mailed_once(town: Street) -> None:
    await town.active_runner()
    await guess(town, 14)
    assert (await town.sign_in()).status == 429
    [secret] = await town.secrets_mailed_to(KIM, page="unlock")

    assert (await unlock(town, secret)).status == 204

    assert (await town.sign_in()).status == 201
    assert (await unlock(town, secret)).status == 410
    assert (await town.subjects_to(KIM, 2))[1:] == ["Your account is locked for a while"]


async def test_locked_again_another_mail_comes(town: Street) -> None:
    await town.active_runner()
    for number in (1, 2):
        await guess(town, 10)
        secrets = await town.secrets_mailed_to(KIM, number, page="unlock")
        assert (await unlock(town, secrets[-1])).status == 204

    assert (await town.sign_in()).status == 201


async def test_strangers_learn_nothing(town: Street) -> None:
    await town.active_runner()

    known, unknown = await guess(town, 12), await guess(town, 12, "nobody@runnerly.test")

    assert sorted(each.status for each in known) == sorted(each.status for each in unknown)
    assert {str(sorted(each.body)) for each in known} == {str(sorted(each.body)) for each in unknown}
    await town.secrets_mailed_to(KIM, page="unlock")
    assert town.mails_to("nobody@runnerly.test") == []


async def test_an_address_that_nobody_confirmed_gets_no_such_mail(town: Street) -> None:
    await town.register()
    await guess(town, 10)
    await town.active_runner("lou@runnerly.test")

    assert await town.subjects_to(KIM, 1) == ["Confirm your e-mail address"]


async def test_it_does_not_let_an_address_guess_on(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with street(database_server, tmp_path, RUNNERLY_SIGN_IN_FAILURES_ADDRESS="10") as town:
        await town.active_runner()
        await guess(town, 10)
        [secret] = await town.secrets_mailed_to(KIM, page="unlock")
        assert (await unlock(town, secret)).status == 204

        assert (await town.sign_in()).status == 429


async def test_a_link_is_good_for_its_purpose_only(town: Street) -> None:
    await town.active_runner()
    await guess(town, 10)
    [secret] = await town.secrets_mailed_to(KIM, page="unlock")
    body = {"token": secret, "password": "a new one, long enough"}

    assert (await town.ask("POST", "accounts/password-resets/complete", body)).status == 410
    assert (await town.ask("POST", "accounts/me/email/confirm", {"token": secret})).status == 410
    assert (await town.activate(secret)).status == 410
    assert (await unlock(town, secret)).status == 204
