"""The second factor: set up with an authenticator app, asked for at sign-in, used up, and lost without a lock-out."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pyotp
import pytest

from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.sessions import Tokens
from tests.support.authenticator import Authenticator, forget_used_steps, remove, set_up, turned_on
from tests.support.database import DatabaseServer
from tests.support.process import process
from tests.support.street import PASSWORD, SERVICES, Street, street
from tests.support.waiting import eventually, eventually_is

KIM = "kim@runnerly.test"
FACTOR = "accounts/me/second-factor"


async def confirm(town: Street, token: str, otp: str) -> int:
    return (await town.ask("POST", f"{FACTOR}/confirm", {"otp": otp}, token=token)).status


async def mail_that_says(town: Street, subject: str) -> EmailMessage:
    def found() -> list[EmailMessage]:
        return [mail for mail in town.mails_to(KIM) if mail["Subject"] == subject]

    await eventually(lambda: bool(found()))
    return found()[-1]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content())


async def test_it_is_on_once_a_code_of_the_app_confirms_it(town: Street) -> None:
    token = await town.active_runner()
    off = {"active": False, "since": None, "recovery_codes_left": 0}
    assert (await town.ask("GET", FACTOR, token=token)).body == off

    begun = await set_up(town, token)

    assert (begun.status, begun.headers["Cache-Control"]) == (200, "no-store")
    app = pyotp.parse_uri(begun.body["otpauth_uri"])
    assert (app.secret, app.issuer, app.name) == (begun.body["secret"], "Runnerly", KIM)
    assert begun.body["qr_code"].startswith("data:image/svg+xml")
    assert (await town.ask("GET", FACTOR, token=token)).body == off
    assert (await town.sign_in()).status == 201
    authenticator = Authenticator(begun.body["secret"])
    assert await confirm(town, token, authenticator.wrong_code()) == 422

    confirmed = await town.ask("POST", f"{FACTOR}/confirm", {"otp": authenticator.code()}, token=token)

    assert (confirmed.status, confirmed.headers["Cache-Control"]) == (200, "no-store")
    assert len(set(confirmed.body["recovery_codes"])) == 10
    now_on = (await town.ask("GET", FACTOR, token=token)).body
    assert (now_on["active"], now_on["recovery_codes_left"]) == (True, 10)
    assert datetime.fromisoformat(now_on["since"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert (await town.sign_in()).kind == "second-factor-required"
    await mail_that_says(town, "Signing in takes a code from now on")


async def test_sign_in_takes_the_code_after_the_password(town: Street) -> None:
    app = await turned_on(town, await town.active_runner())

    asked = await town.sign_in()
    assert (asked.status, asked.body["type"]) == (401, "/problems/second-factor-required")
    guessed = await town.sign_in(password="wrong password", otp=app.code(ahead=1))
    wrong = await town.sign_in(otp=app.wrong_code())
    invented = await town.sign_in(otp="abcdef-234567-abcdef-234567")
    assert guessed.body == wrong.body == invented.body
    assert (wrong.status, wrong.kind) == (401, "invalid-credentials")
    assert (await town.sign_in(password="wrong password")).kind == "invalid-credentials"

    code = app.code(ahead=1)
    opened = await town.sign_in(otp=f" {code[:3]} {code[3:]} ", mode="cookie")
    assert (opened.status, set(opened.body)) == (201, {"expires_in", "scope"})


async def test_who_has_none_is_not_asked_and_may_send_one(town: Street) -> None:
    await town.active_runner()

    assert (await town.sign_in(otp="123456")).status == 201


@pytest.mark.parametrize("otp", ["", "1" * 65, 123456])
async def test_what_can_t_be_a_code_names_the_field(town: Street, otp: object) -> None:
    refused = await town.sign_in(otp=otp)

    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "otp")


async def test_a_code_works_once_and_no_older_one_after_it(town: Street) -> None:
    token = await town.active_runner()
    app = await turned_on(town, token)

    assert (await town.sign_in(otp=app.code())).kind == "invalid-credentials", "it was used to confirm"
    later = app.code(ahead=1)
    assert (await town.sign_in(otp=later)).status == 201
    assert (await town.sign_in(otp=later)).kind == "invalid-credentials"
    assert (await town.sign_in(otp=app.code())).kind == "invalid-credentials", "it is of an earlier step"


@pytest.fixture
async def two_workers(town: Street, database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[list[str]]:
    """The addresses of two processes that serve one Runnerly."""
    environ = {"SMTP_URL": town.mail.url}
    async with process(SERVICES, database_server.uri, tmp_path, migrated=False, **environ) as other:
        yield [f"http://127.0.0.1:{settings.port}/api/v1/sessions" for settings in (town.settings, other)]


async def test_of_many_that_use_one_code_at_once_over_all_workers_one_gets_in(
    town: Street, two_workers: list[str]
) -> None:
    app = await turned_on(town, await town.active_runner())

    async def tried(number: int, otp: str) -> int:
        body = {"email": KIM, "password": PASSWORD, "otp": otp}
        async with town.http.post(two_workers[number % 2], json=body) as answer:
            return answer.status

    for otp in (app.code(ahead=1), app.recovery_codes[0]):
        await town.database.collection("attempts").delete_many({})  # or those that lost would be too many, over both
        statuses = await asyncio.gather(*(tried(number, otp) for number in range(8)))
        assert sorted(statuses) == [201, *(7 * [401])]


async def test_wrong_codes_make_an_account_wait_and_the_right_password_between_them_forgives_nothing(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with street(database_server, tmp_path, RUNNERLY_SIGN_IN_FAILURES="3") as town:
        app = await turned_on(town, await town.active_runner())
        for _ in range(3):
            assert (await town.sign_in()).kind == "second-factor-required"
            assert (await town.sign_in(otp=app.wrong_code())).status == 401

        late = await town.sign_in(otp=app.code(ahead=1))
        told_nothing = await town.sign_in()

    assert (late.status, late.kind, told_nothing.status) == (429, "too-many-attempts", 429)


async def test_a_right_code_among_too_many_guesses_at_once_opens_nothing(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with street(database_server, tmp_path, RUNNERLY_SIGN_IN_FAILURES="3") as town:
        app = await turned_on(town, await town.active_runner())
        guesses = [*(12 * [app.wrong_code()]), app.code(ahead=1)]
        answers = await asyncio.gather(*(town.sign_in(otp=otp) for otp in guesses))

    statuses = [answer.status for answer in answers]
    assert statuses[-1] in {201, 429}
    most = 3 if statuses[-1] == 429 else 6  # where the owner was quicker, the others begin anew
    assert statuses.count(401) <= most
    assert statuses.count(401) + statuses.count(429) + statuses.count(201) == 13


NEW_PASSWORD = "a new one, long enough"


async def choose_new_password(town: Street) -> None:
    """As somebody does who reads the mail of the address."""
    await town.ask("POST", "accounts/password-resets", {"email": KIM})
    link = re.search(r"/reset-password\?token=([\w-]+)", text_of(await mail_that_says(town, "Choose a new password")))
    assert link
    body = {"token": link[1], "password": NEW_PASSWORD}
    assert (await town.ask("POST", "accounts/password-resets/complete", body)).status == 204


async def test_a_new_password_by_mail_leaves_it_on_and_forgives_no_wrong_codes(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with street(database_server, tmp_path, RUNNERLY_SIGN_IN_FAILURES="3") as town:
        app = await turned_on(town, await town.active_runner())
        for _ in range(3):
            assert (await town.sign_in(otp=app.wrong_code())).status == 401

        await choose_new_password(town)

        assert (await town.sign_in(password=NEW_PASSWORD, otp=app.code(ahead=1))).status == 429
        await town.database.collection("attempts").delete_many({})
        assert (await town.sign_in(password=NEW_PASSWORD)).kind == "second-factor-required"
        assert (await town.sign_in(password=NEW_PASSWORD, otp=app.code(ahead=1))).status == 201


async def test_a_sign_in_that_the_second_factor_overtakes_opens_nothing(
    town: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, issue = await town.active_runner(), Tokendealer.issue

    async def issue_late(self: Tokendealer, *order: Any) -> Tokens:
        await turned_on(town, token)
        return await issue(self, *order)

    monkeypatch.setattr(Tokendealer, "issue", issue_late)

    assert (await town.sign_in()).kind == "invalid-credentials"
    assert await sessions(town, token) == 1


async def test_after_a_hundred_wrong_codes_in_a_row_only_a_recovery_code_helps(town: Street) -> None:
    app = await turned_on(town, await town.active_runner())
    factors = town.database.collection("second_factors")
    await factors.update_one({}, {"$set": {"wrong_codes": 99}})
    assert (await town.sign_in(otp=app.wrong_code())).status == 401
    await mail_that_says(town, "Somebody knows your password, and tries to guess your codes")

    assert (await town.sign_in(otp=app.code(ahead=1))).kind == "invalid-credentials"
    assert (await town.sign_in(otp=app.wrong_code())).status == 401
    assert (await town.sign_in(otp=app.recovery_codes[0])).status == 201

    assert (await town.sign_in(otp=app.code(ahead=1))).status == 201, "codes of the app work again"
    assert [factor["wrong_codes"] for factor in await factors.find().to_list(None)] == [0]


async def test_success_forgets_the_wrong_codes_before_it(town: Street) -> None:
    app = await turned_on(town, await town.active_runner())
    for _ in range(2):
        for _ in range(9):
            assert (await town.sign_in(otp=app.wrong_code())).status == 401
        assert (await town.sign_in(otp=app.code(ahead=1))).status == 201
        await forget_used_steps(town)


async def test_a_recovery_code_works_once_and_its_owner_is_told(town: Street) -> None:
    app = await turned_on(town, await town.active_runner())
    first, second = app.recovery_codes[:2]

    assert (await town.sign_in(otp=first)).status == 201
    assert (await town.sign_in(otp=first)).kind == "invalid-credentials"
    assert "Codes left: 9." in text_of(await mail_that_says(town, "A recovery code was used to sign in"))

    opened = await town.sign_in(otp=f" {second.upper().replace('-', ' ')} ")
    assert opened.status == 201
    told = await town.ask("GET", FACTOR, token=opened.body["access_token"])
    assert told.body["recovery_codes_left"] == 8
    assert (await town.sign_in(otp=app.code(ahead=1))).status == 201, "the app works as before"


async def test_new_recovery_codes_take_the_place_of_the_old_ones(town: Street) -> None:
    token = await town.active_runner()
    assert await renewed(town, token, PASSWORD) == (409, "second-factor-not-set-up")
    app = await turned_on(town, token)
    assert await renewed(town, token, "wrong password") == (422, "wrong-password")

    answer = await town.ask("POST", f"{FACTOR}/recovery-codes", {"password": PASSWORD}, token=token)

    assert answer.status == 200
    new = answer.body["recovery_codes"]
    assert len(new) == 10
    assert not set(new) & set(app.recovery_codes)
    assert (await town.sign_in(otp=app.recovery_codes[0])).status == 401
    assert (await town.sign_in(otp=new[0])).status == 201
    await mail_that_says(town, "You have new recovery codes")


async def renewed(town: Street, token: str, password: str) -> tuple[int, str]:
    answer = await town.ask("POST", f"{FACTOR}/recovery-codes", {"password": password}, token=token)
    return answer.status, answer.kind


async def test_turning_it_on_or_off_ends_all_other_sessions(town: Street) -> None:
    token = await town.active_runner()
    here = await town.sign_in()
    app = await turned_on(town, here.body["access_token"])
    await eventually_is(1, lambda: sessions(town, here.body["access_token"]))
    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": here.body["refresh_token"]})).status == 200

    there = (await town.sign_in(otp=app.code(ahead=1))).body["access_token"]
    assert (await remove(town, there)).status == 204
    await eventually_is(1, lambda: sessions(town, there))
    assert token != there


async def sessions(town: Street, token: str) -> int:
    return len((await town.ask("GET", "sessions", token=token)).body["items"])


async def test_it_is_turned_off_with_the_password(town: Street) -> None:
    token = await town.active_runner()
    assert (await remove(town, token)).status == 404
    await turned_on(town, token)

    wrong = await remove(town, token, "wrong password")
    assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, "password")
    assert (await town.sign_in()).kind == "second-factor-required"
    assert (await remove(town, token)).status == 204

    assert (await town.sign_in()).status == 201
    await mail_that_says(town, "Signing in takes no code any more")
    assert (await town.ask("GET", FACTOR, token=token)).body["active"] is False
    assert (await set_up(town, token)).status == 200, "and it can be turned on again"


async def test_wrong_passwords_there_count_as_failed_sign_ins(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with street(database_server, tmp_path, RUNNERLY_SIGN_IN_FAILURES="3") as town:
        token = await town.active_runner()
        await turned_on(town, token)
        statuses = [(await remove(town, token, "wrong password")).status for _ in range(4)]
        assert (await remove(town, token)).status == 429
        assert (await town.sign_in()).status == 429

    assert statuses == [422, 422, 422, 429]


async def test_beginning_again_takes_another_secret_and_never_replaces_an_active_one(town: Street) -> None:
    token = await town.active_runner()
    first = Authenticator((await set_up(town, token)).body["secret"])
    second = Authenticator((await set_up(town, token)).body["secret"])
    assert await confirm(town, token, first.code()) == 422
    assert await confirm(town, token, second.code()) == 200

    again = await set_up(town, token)

    assert (again.status, again.kind) == (409, "second-factor-active")
    assert await confirm(town, token, second.code(ahead=1)) == 409
    assert (await town.sign_in(otp=second.code(ahead=1))).status == 201


async def test_of_two_confirmations_at_once_one_gets_the_recovery_codes(town: Street) -> None:
    token = await town.active_runner()
    app = Authenticator((await set_up(town, token)).body["secret"])

    statuses = await asyncio.gather(*(confirm(town, token, app.code()) for _ in range(5)))

    assert sorted(statuses) == [200, 409, 409, 409, 409]


async def test_a_set_up_that_nobody_confirms_is_over_after_half_an_hour(town: Street) -> None:
    token = await town.active_runner()
    assert await confirm(town, token, "123456") == 409
    app = Authenticator((await set_up(town, token)).body["secret"])
    long_ago = datetime.now(UTC) - timedelta(minutes=31)
    await town.database.collection("second_factors").update_one({}, {"$set": {"created_at": long_ago}})

    assert await confirm(town, token, app.code()) == 409


async def test_a_session_that_was_left_open_takes_the_password_to_turn_it_on(town: Street) -> None:
    token = await town.active_runner()
    a_while_ago = datetime.now(UTC) - timedelta(minutes=16)
    families = town.mongo.database("runnerly_tokendealer").collection("families")
    await families.update_many({}, {"$set": {"created_at": a_while_ago}})

    refused = await set_up(town, token)
    wrong = await set_up(town, token, password="wrong password")

    assert (refused.status, refused.kind, refused.body["errors"][0]["field"]) == (422, "password-needed", "password")
    assert (wrong.status, wrong.kind, wrong.body["errors"][0]["field"]) == (422, "wrong-password", "password")
    assert (await set_up(town, token, password=PASSWORD)).status == 200


async def test_nothing_of_it_is_kept_in_the_clear_and_all_goes_with_the_account(town: Street) -> None:
    token = await town.active_runner()
    app = await turned_on(town, token)
    sub = (await town.ask("GET", "accounts/me", token=token)).body["id"]

    factors = town.database.collection("second_factors")
    [kept] = await factors.find().to_list(None)
    assert app.secret not in str(kept)
    assert pyotp.TOTP(app.secret).byte_secret() not in bytes(kept["secret"])
    assert not any(code in json.dumps(kept, default=str) for code in app.recovery_codes)
    assert "expires_at" not in kept, "an active one would expire"

    owner = town.accounts_as_seen_by_itself
    async with owner.stream(f"/internal/v1/people/{sub}") as response:
        taken_out = b"".join([chunk async for chunk in response.chunks()])
    assert b'"recovery_codes_left":10' in taken_out
    assert not any(code.encode() in taken_out for code in (app.secret, *kept["recovery_codes"]))
    await owner.delete(f"/internal/v1/people/{sub}")
    assert await factors.count_documents({}) == 0
