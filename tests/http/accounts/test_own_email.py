"""One's own address: both are told, it changes by the link in the mail, and a thief does not get away with it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.street import PASSWORD, Answered, Street

KIM, LOU, EVE = "kim@runnerly.test", "lou@runnerly.test", "eve@runnerly.test"
NEW = "a new one, long enough"


async def ask_for(town: Street, token: str, email: str, password: str = PASSWORD, **headers: str) -> Answered:
    return await town.ask("POST", "accounts/me/email", {"email": email, "password": password}, token=token, **headers)


async def confirm(town: Street, secret: str) -> Answered:
    return await town.ask("POST", "accounts/me/email/confirm", {"token": secret})


async def take_back(town: Street, secret: str, password: str = NEW) -> Answered:
    return await town.ask("POST", "accounts/password-resets/complete", {"token": secret, "password": password})


async def moved(town: Street, token: str, to: str) -> None:
    """The account that this token opens has another address now."""
    old = await email_of(town, token)
    had = len(town.mails_to(old))
    assert (await ask_for(town, token, to)).status == 202
    await town.subjects_to(old, had + 1)  # what is told there of this comes before what is told of the next step
    secret = (await town.secrets_mailed_to(to, page="confirm-email"))[-1]
    assert (await confirm(town, secret)).status == 200


async def recoveries(town: Street, email: str, number: int) -> list[str]:
    return await town.secrets_mailed_to(email, number, page="reset-password")


async def email_of(town: Street, token: str) -> str:
    return str((await town.ask("GET", "accounts/me", token=token)).body["email"])


async def test_it_changes_when_the_new_address_is_confirmed_and_both_are_told(town: Street) -> None:
    token = await town.active_runner()

    asked = await ask_for(town, token, "Lou@runnerly.test")
    assert (asked.status, asked.body) == (202, {})
    [secret] = await town.secrets_mailed_to("Lou@runnerly.test", page="confirm-email")
    await town.subjects_to(KIM, 2)
    assert await email_of(town, token) == KIM
    done = await confirm(town, secret)

    assert (done.status, done.body) == (200, {"email": "Lou@runnerly.test"})
    assert await email_of(town, token) == "Lou@runnerly.test"
    assert (await confirm(town, secret)).status == 410
    assert (await town.sign_in(KIM)).status == 401
    assert (await town.sign_in(LOU)).status == 201
    assert await town.subjects_to(KIM, 3) == [
        "Confirm your e-mail address",
        "Your e-mail address is to be changed",
        "Your e-mail address was changed",
    ]
    for mail in town.mails_to(KIM)[1:]:
        assert "Lou@runnerly.test" in str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]


async def test_a_wrong_password_is_named_and_counts_as_a_failed_sign_in(town: Street) -> None:
    token = await town.active_runner()

    wrong = [await ask_for(town, token, LOU, f"wrong {number}") for number in range(10)]

    assert {(answer.status, answer.body["errors"][0]["field"]) for answer in wrong} == {(422, "password")}
    assert (await ask_for(town, token, LOU)).status == 429
    assert (await town.sign_in()).status == 429


@pytest.mark.parametrize("email", ["lou", KIM])
async def test_what_can_t_be_is_refused(town: Street, email: str) -> None:
    token = await town.active_runner()

    refused = await ask_for(town, token, email)

    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "email")


async def test_another_spelling_of_one_s_own_address_is_no_stranger_s(town: Street) -> None:
    token = await town.active_runner()

    await moved(town, token, "Kim@runnerly.test")

    assert await email_of(town, token) == "Kim@runnerly.test"


async def test_who_asks_does_not_learn_whether_somebody_else_has_the_address(town: Street) -> None:
    token = await town.active_runner()
    await town.active_runner(LOU)

    taken, free = await ask_for(town, token, LOU), await ask_for(town, token, EVE)

    assert (taken.status, taken.body) == (free.status, free.body) == (202, {})
    assert await town.subjects_to(LOU, 2) == ["Confirm your e-mail address", "This e-mail address is in use"]
    told = [mail for mail in await town.subjects_to(KIM, 3) if mail == "Your e-mail address is to be changed"]
    assert len(told) == 2


async def test_of_two_that_confirm_one_address_one_gets_it(town: Street) -> None:
    for email in (KIM, LOU):
        assert (await ask_for(town, await town.active_runner(email), EVE)).status == 202
    secrets = await town.secrets_mailed_to(EVE, 2, page="confirm-email")

    answers = await asyncio.gather(*(confirm(town, secret) for secret in secrets))

    assert sorted(answer.status for answer in answers) == [200, 409]
    assert {answer.kind for answer in answers if answer.status == 409} == {"email-taken"}
    assert (await town.sign_in(EVE)).status == 201


async def test_of_two_that_use_a_link_at_once_one_is_late(town: Street) -> None:
    await ask_for(town, await town.active_runner(), LOU)
    [secret] = await town.secrets_mailed_to(LOU, page="confirm-email")

    answers = await asyncio.gather(*(confirm(town, secret) for _ in range(4)))

    assert sorted(answer.status for answer in answers) == [200, 410, 410, 410]


async def test_an_address_that_was_registered_meanwhile_is_not_taken_from_its_owner(town: Street) -> None:
    await ask_for(town, await town.active_runner(), LOU)
    [secret] = await town.secrets_mailed_to(LOU, page="confirm-email")
    await town.active_runner(LOU)

    assert (await confirm(town, secret)).status == 409


async def test_the_old_address_takes_the_account_back_from_a_thief(town: Street) -> None:
    thief = await town.active_runner()
    await moved(town, thief, EVE)
    await town.ask("POST", "accounts/me/password", {"old": PASSWORD, "new": "the thief's own password"}, token=thief)
    refresh = (await town.sign_in(EVE, "the thief's own password")).body["refresh_token"]
    _, secret = await recoveries(town, KIM, 2)

    assert (await take_back(town, secret)).status == 204

    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": refresh})).status == 401
    assert (await town.sign_in(EVE, "the thief's own password")).status == 401
    owner = (await town.sign_in(KIM, NEW)).body["access_token"]
    assert await email_of(town, owner) == KIM


async def test_before_it_is_confirmed_a_new_password_calls_it_off(town: Street) -> None:
    thief = await town.active_runner()
    await ask_for(town, thief, EVE)
    [secret] = await town.secrets_mailed_to(EVE, page="confirm-email")
    [back] = await recoveries(town, KIM, 1)

    assert (await take_back(town, back)).status == 204

    assert (await confirm(town, secret)).status == 410
    assert (await town.sign_in(KIM, NEW)).status == 201


async def test_a_thief_can_t_block_the_way_back(town: Street) -> None:
    """Neither by moving on, nor by a reset at the new address, nor by taking the old address for another account."""
    thief = await town.active_runner()
    await moved(town, thief, EVE)
    await moved(town, thief, LOU)
    await town.ask("POST", "accounts/password-resets", {"email": LOU})
    [reset] = await recoveries(town, LOU, 1)
    assert (await take_back(town, reset, "the thief's own password")).status == 204
    [_, thiefs] = await recoveries(town, EVE, 2)
    assert (await take_back(town, thiefs, "the thief's own password")).status == 204
    await town.subjects_to(KIM, 3)
    assert (await town.register(KIM, "the thief's own password")).status == 202
    another = await town.active_runner("max@runnerly.test")
    await ask_for(town, another, KIM)

    mails = await town.subjects_to(KIM, 5)
    assert mails[3:] == 2 * ["This e-mail address is in use"]
    assert (await take_back(town, (await recoveries(town, KIM, 2))[1])).status == 204

    owner = (await town.sign_in(KIM, NEW)).body["access_token"]
    assert await email_of(town, owner) == KIM
    for other in (EVE, LOU):
        assert (await town.sign_in(other, "the thief's own password")).status == 401


async def test_what_was_taken_back_stays_so(town: Street) -> None:
    thief = await town.active_runner()
    await moved(town, thief, EVE)
    await ask_for(town, thief, LOU)
    [thiefs] = await recoveries(town, EVE, 1)
    for secret in (await recoveries(town, KIM, 2))[:1]:
        assert (await take_back(town, secret)).status == 204

    assert (await take_back(town, thiefs, "the thief's own password")).status == 410
    [again] = (await recoveries(town, KIM, 2))[1:]
    assert (await take_back(town, again)).status == 410


async def test_a_reset_that_was_mailed_to_the_old_address_is_void(town: Street) -> None:
    token = await town.active_runner()
    await town.ask("POST", "accounts/password-resets", {"email": KIM})
    [reset] = await recoveries(town, KIM, 1)
    await moved(town, token, LOU)

    assert (await take_back(town, reset)).status == 410


async def test_nobody_can_flood_mailboxes_through_us(town: Street) -> None:
    token = await town.active_runner()

    answers = [await ask_for(town, token, f"lou{number}@runnerly.test") for number in range(6)]

    assert [answer.status for answer in answers] == [*(5 * [202]), 429]


async def test_asked_again_with_its_key_it_is_asked_once(town: Street) -> None:
    token = await town.active_runner()

    for _ in range(3):
        assert (await ask_for(town, token, LOU, Idempotency_Key="k1")).status == 202
    await ask_for(town, token, EVE)
    await town.secrets_mailed_to(EVE, page="confirm-email")

    assert len(town.mails_to(LOU)) == 1


async def test_nobody_can_do_it_without_a_session(town: Street) -> None:
    assert (await ask_for(town, "", LOU)).status == 401
    assert (await confirm(town, "x" * 43)).status == 410
