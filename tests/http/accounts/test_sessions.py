"""Signing in and out: by token and by cookie, slowly for guessers, and the same for known and unknown names."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.database import DatabaseServer
from tests.support.street import PASSWORD, Answered, Street, street
from tests.support.waiting import eventually_is

SAME_ORIGIN = {"Sec_Fetch_Site": "same-origin"}


def cookie_header(answer: Answered) -> str:
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


async def test_signing_in_gives_tokens_that_open_what_is_one_s_own(town: Street) -> None:
    await town.active_runner()

    signed_in = await town.sign_in(mode="token")

    assert signed_in.status == 201
    assert set(signed_in.body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert signed_in.body["token_type"] == "Bearer"
    assert 0 < signed_in.body["expires_in"] <= 300
    assert "activities:write" in signed_in.body["scope"].split()
    assert "admin" not in signed_in.body["scope"]
    assert signed_in.headers["Cache-Control"] == "no-store"
    assert signed_in.cookies == {}
    me = await town.ask("GET", "accounts/me", token=signed_in.body["access_token"])
    assert (me.status, me.body["email"], me.body["activated"]) == (200, "kim@runnerly.test", True)


@pytest.mark.parametrize(
    ("email", "password"), [("kim@runnerly.test", "wrong password"), ("nobody@runnerly.test", "wrong password")]
)
async def test_a_wrong_name_and_a_wrong_password_are_one_answer(town: Street, email: str, password: str) -> None:
    await town.active_runner()

    refused = await town.sign_in(email, password)

    assert (refused.status, refused.kind) == (401, "invalid-credentials")
    assert refused.body["detail"] == "The e-mail address or the password is wrong"


async def test_an_account_that_is_not_active_may_book_for_a_day(town: Street) -> None:
    await town.register()
    trial = await town.sign_in()
    assert (trial.status, trial.body["scope"]) == (201, "bookings:read bookings:write")
    assert (await town.ask("GET", "accounts/me", token=trial.body["access_token"])).status == 403

    yesterday = datetime.now(UTC) - timedelta(hours=25)
    await town.database.collection("accounts").update_one({}, {"$set": {"created_at": yesterday}})

    late = await town.sign_in()
    assert (late.status, late.kind) == (401, "not-activated")
    families = town.mongo.database("runnerly_tokendealer").collection("families")
    [family] = await families.find().to_list(None)
    assert family["until"] == family["expires_at"] < datetime.now(UTC) + timedelta(hours=24)
    renewed = await town.ask("POST", "sessions/refresh", {"refresh_token": trial.body["refresh_token"]})
    assert renewed.status == 200
    assert (await families.find_one({}) or {})["expires_at"] == family["until"], "it is not renewed past its day"
    assert (await town.sign_in(password="wrong password")).kind == "invalid-credentials"


async def test_a_session_of_the_trial_day_may_do_all_after_the_activation(town: Street) -> None:
    await town.register()
    trial = (await town.sign_in()).body
    [secret] = await town.secrets_mailed_to("kim@runnerly.test")
    await town.activate(secret)
    latest = {"token": trial["refresh_token"]}

    async def scope() -> bool:
        renewed = (await town.ask("POST", "sessions/refresh", {"refresh_token": latest["token"]})).body
        latest["token"] = renewed["refresh_token"]
        return "account" in renewed["scope"].split()

    await eventually_is(True, scope, within_s=60)
    [family] = await town.mongo.database("runnerly_tokendealer").collection("families").find().to_list(None)
    assert family["expires_at"] > datetime.now(UTC) + timedelta(days=20), "and lasts as long as any other"


async def test_a_refresh_token_used_twice_ends_its_session(town: Street) -> None:
    await town.active_runner()
    first = (await town.sign_in()).body["refresh_token"]

    second = await town.ask("POST", "sessions/refresh", {"refresh_token": first})
    assert second.status == 200
    assert set(second.body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    again = await town.ask("POST", "sessions/refresh", {"refresh_token": first})
    after = await town.ask("POST", "sessions/refresh", {"refresh_token": second.body["refresh_token"]})

    assert (again.status, again.kind) == (401, "session-ended")
    assert after.status == 401


async def test_without_a_refresh_token_there_is_no_refresh(town: Street) -> None:
    for body in (None, {}, {"refresh_token": "invented"}):
        assert (await town.ask("POST", "sessions/refresh", body)).status == 401


async def test_a_browser_is_signed_in_by_cookies_that_no_script_reads(town: Street) -> None:
    await town.active_runner()

    signed_in = await town.sign_in(mode="cookie")

    assert signed_in.status == 201
    assert set(signed_in.body) == {"expires_in", "scope"}
    assert set(signed_in.cookies) == {"runnerly_access", "runnerly_refresh"}
    me = await town.ask("GET", "accounts/me", Cookie=cookie_header(signed_in))
    assert me.status == 200
    renewed = await town.ask("POST", "sessions/refresh", Cookie=cookie_header(signed_in), **SAME_ORIGIN)
    assert (renewed.status, set(renewed.body)) == (200, {"expires_in", "scope"})
    assert signed_in.headers["Cache-Control"] == renewed.headers["Cache-Control"] == "no-store"
    assert renewed.cookies["runnerly_refresh"] != signed_in.cookies["runnerly_refresh"]


async def test_signing_in_again_ends_the_session_that_the_browser_had(town: Street) -> None:
    token = await town.active_runner()
    first = await town.sign_in(mode="cookie")
    again = {"email": "kim@runnerly.test", "password": PASSWORD, "mode": "cookie"}
    assert (await town.ask("POST", "sessions", again, Cookie=cookie_header(first), **SAME_ORIGIN)).status == 201

    renewed = await town.ask("POST", "sessions/refresh", Cookie=cookie_header(first), **SAME_ORIGIN)
    assert renewed.status == 401
    listed = await town.ask("GET", "sessions", token=token)
    assert len(listed.body["items"]) == 2, "the one that asks, and the second"


async def test_cookies_are_bound_to_this_host_where_there_is_https(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with street(database_server, tmp_path, RUNNERLY_PUBLIC_URL="https://run.test") as town:
        await town.register()
        signed_in = await town.sign_in(mode="cookie")

        assert set(signed_in.cookies) == {"__Host-runnerly_access", "__Host-runnerly_refresh"}
        renewed = await town.ask("POST", "sessions/refresh", Cookie=cookie_header(signed_in), Origin="https://run.test")
        assert renewed.status == 200
    for cookie in signed_in.set_cookies:
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert {"httponly", "secure", "path=/", "samesite=lax"} <= parts
        assert not any(part.startswith("domain") for part in parts)
        assert int(next(part for part in parts if part.startswith("max-age")).partition("=")[2]) > 0


async def test_another_site_can_t_use_a_browser_s_session(town: Street) -> None:
    await town.active_runner()
    cookies = cookie_header(await town.sign_in(mode="cookie"))

    for method, path, body in (
        ("PATCH", "accounts/me", {"name": "Eve"}),
        ("POST", "sessions/refresh", None),
        ("DELETE", "sessions/current", None),
    ):
        for headers in ({}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://evil.test"}):
            refused = await town.ask(method, path, body, Cookie=cookies, **headers)
            assert (refused.status, refused.kind) == (403, "cross-site-request"), (path, headers)
    evil = await town.ask(
        "POST",
        "sessions",
        {"email": "eve@runnerly.test", "password": "eve's password", "mode": "cookie"},
        Sec_Fetch_Site="cross-site",
    )
    assert evil.status == 403
    assert (await town.ask("GET", "accounts/me", Cookie=cookies)).body["name"] == "Kim"


async def test_signing_out_ends_the_session_and_takes_the_cookies_away(town: Street) -> None:
    await town.active_runner()
    browser = await town.sign_in(mode="cookie")
    program = (await town.sign_in()).body

    out = await town.ask("DELETE", "sessions/current", Cookie=cookie_header(browser), **SAME_ORIGIN)
    assert out.status == 204
    assert out.cookies == {"runnerly_access": "", "runnerly_refresh": ""}
    assert (await town.ask("DELETE", "sessions/current", token=program["access_token"])).status == 204
    assert (await town.ask("DELETE", "sessions/current", token=program["access_token"])).status == 204

    renewed = await town.ask("POST", "sessions/refresh", Cookie=cookie_header(browser), **SAME_ORIGIN)
    assert renewed.status == 401
    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": program["refresh_token"]})).status == 401
    assert (await town.ask("DELETE", "sessions/current")).status == 401
    assert (await town.ask("DELETE", "sessions/current", token="invented")).status == 401


async def test_one_s_sessions_are_listed_and_can_be_ended(town: Street) -> None:
    token = await town.active_runner()
    other = (await town.ask("POST", "sessions", CREDENTIALS, User_Agent="An old phone")).body
    stranger = await town.active_runner("lou@runnerly.test")

    listed = (await town.ask("GET", "sessions", token=token)).body["items"]
    assert [set(each) for each in listed] == 2 * [
        {"id", "created_at", "last_seen_at", "user_agent", "device", "current"}
    ]
    assert [each["current"] for each in listed] == [False, True]
    phone = listed[0]
    assert phone["user_agent"] == "An old phone"
    assert (await town.ask("DELETE", f"sessions/{phone['id']}", token=stranger)).status == 404
    assert (await town.ask("DELETE", f"sessions/{phone['id']}", token=token)).status == 204
    assert (await town.ask("DELETE", f"sessions/{phone['id']}", token=token)).status == 404
    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": other["refresh_token"]})).status == 401
    assert len((await town.ask("GET", "sessions", token=token)).body["items"]) == 1


CREDENTIALS = {"email": "kim@runnerly.test", "password": "correct horse battery staple"}


async def test_ten_failures_make_an_account_wait_also_its_owner(town: Street) -> None:
    await town.active_runner()
    guesses = await asyncio.gather(*(town.sign_in(password=f"wrong {number}") for number in range(14)))

    assert sorted(guess.status for guess in guesses) == [*(10 * [401]), *(4 * [429])]
    owner = await town.sign_in("KIM@runnerly.test")
    assert (owner.status, owner.kind) == (429, "too-many-attempts")
    assert 800 < int(owner.headers["Retry-After"]) <= 900
    await town.register("lou@runnerly.test")
    assert (await town.sign_in("lou@runnerly.test")).status == 201


async def test_an_account_that_is_not_there_waits_just_the_same(town: Street) -> None:
    statuses = [(await town.sign_in("nobody@runnerly.test", "wrong password")).status for _ in range(11)]

    assert statuses == [*(10 * [401]), 429]


async def test_success_forgets_the_failures_before_it(town: Street) -> None:
    await town.active_runner()
    for _ in range(2):
        for number in range(9):
            assert (await town.sign_in(password=f"wrong {number}")).status == 401
        assert (await town.sign_in()).status == 201


async def test_many_right_sign_ins_at_once_are_no_attack(town: Street) -> None:
    await town.active_runner()

    answers = await asyncio.gather(*(town.sign_in() for _ in range(60)))

    assert {answer.status for answer in answers} == {201}


async def test_fifty_failures_make_an_address_wait(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with street(database_server, tmp_path, RUNNERLY_SIGN_IN_FAILURES_ADDRESS="5") as town:
        statuses = [(await town.sign_in(f"nobody{number}@runnerly.test", "wrong pass")).status for number in range(6)]

    assert statuses == [*(5 * [401]), 429]


async def test_the_wait_ends(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with street(database_server, tmp_path, RUNNERLY_SIGN_IN_FAILURES="2", RUNNERLY_SIGN_IN_WINDOW_S="90") as town:
        await town.register()
        statuses = [(await town.sign_in(password="wrong password")).status for _ in range(3)]
        waiting = await town.sign_in()
        statuses.append(waiting.status)
        await town.database.collection("attempts").update_many({}, {"$set": {"expires_at": datetime.now(UTC)}})
        statuses.append((await town.sign_in()).status)

    assert statuses == [401, 401, 429, 429, 201]
    assert 0 < int(waiting.headers["Retry-After"]) <= 90


async def test_counters_keep_no_names(town: Street) -> None:
    await town.sign_in("nobody@runnerly.test", "wrong password")

    stored = str(await town.database.collection("attempts").find({}).to_list(None))
    assert "nobody" not in stored
    assert "127.0.0.1" not in stored
