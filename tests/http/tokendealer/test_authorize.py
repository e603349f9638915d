"""An app asks a person: the consent page, the code, what it is traded for, and all that is tried to get one wrongly."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pytest
import pytest_asyncio

from services.tokendealer.handlers.families import SignInTokens
from services.tokendealer.usecases import trade_code
from services.tokendealer.usecases.authorize import CODE_PURPOSE
from tests.support.apps import AUTHORIZE, BACK, GRANTS, OURS, TOKEN, Browser, app, browser
from tests.support.database import DatabaseServer
from tests.support.tokendealer import Dealer, tokendealer

# RFC 6749, 4.1.2.1: what a description is written in.
LETTERS = {chr(code) for code in range(0x20, 0x7F)} - {'"', "\\"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dealer(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dealer]:
    """One for all tests of this module: they sign in different people."""
    async with tokendealer(database_server, tmp_path_factory.mktemp("home")) as dealer:
        yield dealer


# -- as it should go


async def test_a_person_is_asked_and_the_app_gets_tokens_for_just_that(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    asked = await kim.ask(one)
    assert asked.status == 200
    assert "Splits &lt;on&gt; a map" in asked.text
    assert "See your activities and statistics" in asked.text
    assert "app.example" in asked.text
    answered = await kim.answer(asked)
    assert (answered.status, answered.to.partition("&code=")[0]) == (303, BACK)
    assert (answered.headers["Cache-Control"], answered.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert {**answered.told, "code": ""} == {"a": "1", "code": "", "state": "st&te", "iss": dealer.settings.url}
    status, tokens = await one.trade(answered.told["code"])
    assert (status, tokens["scope"], tokens["token_type"]) == (200, "activities:read", "Bearer")
    _, told = await one.post("/oauth/introspect", token=tokens["access_token"])
    assert (told["sub"], told["client_id"], told["aud"]) == ("kim", one.client.id, "runnerly-api")


async def test_a_state_is_told_only_where_there_was_one(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    assert "state" not in (await kim.answer(await kim.ask(one, state=None))).told


async def test_a_no_is_told_to_the_app_and_nothing_else_happens(dealer: Dealer) -> None:
    no, one = await browser(dealer, "no"), await app(dealer)
    answered = await no.answer(await no.ask(one), "deny")
    assert answered.to.startswith(BACK)
    assert (answered.told["error"], answered.told["state"]) == ("access_denied", "st&te")
    assert answered.told["iss"] == dealer.settings.url
    assert "have let no app in" in (await no.see("GET", GRANTS)).text


async def test_tokens_are_refreshed_by_the_app_and_a_used_one_ends_them_all(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    _, first = await one.trade(await kim.let_in(one, scope="activities:read reports:read"))
    status, second = await one.post(
        TOKEN, grant_type="refresh_token", refresh_token=first["refresh_token"], scope="reports:read"
    )
    assert (status, second["scope"]) == (200, "reports:read")
    status, reused = await one.post(TOKEN, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, reused["error"]) == (400, "invalid_grant")
    assert not await one.is_active(second["refresh_token"])


async def test_a_public_app_needs_no_secret_and_its_refresh_tokens_rotate(dealer: Dealer) -> None:
    kim, native = await browser(dealer, "kim"), await app(dealer, "http://127.0.0.1/back", public=True)
    here = "http://127.0.0.1:49152/back"
    status, tokens = await native.trade(await kim.let_in(native, redirect_uri=here), redirect_uri=here)
    assert status == 200
    for expected in (200, 400):
        status, _ = await native.post(TOKEN, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert status == expected
    assert (await native.post("/oauth/introspect", token=tokens["access_token"]))[0] == 401, "it could be anybody"
    _, tokens = await native.trade(await kim.let_in(native, redirect_uri=here), redirect_uri=here)
    assert (await native.post("/oauth/revoke", token=tokens["refresh_token"]))[0] == 200
    assert (await native.post(TOKEN, grant_type="refresh_token", refresh_token=tokens["refresh_token"]))[0] == 400


@pytest.mark.parametrize("redirect", ["http://[::1]/back", "http://localhost/back"])
async def test_any_loopback_will_do_for_a_native_app(dealer: Dealer, redirect: str) -> None:
    kim, native = await browser(dealer, "kim"), await app(dealer, redirect, public=True)
    here = redirect.replace("/back", ":50001/back")
    status, _ = await native.trade(await kim.let_in(native, redirect_uri=here), redirect_uri=here)
    assert status == 200


async def test_an_app_on_the_device_has_a_scheme_of_its_own(dealer: Dealer) -> None:
    """RFC 8252, 7.1; any other app there could take the scheme, so the person is always asked (8.6)."""
    kim, native = await browser(dealer, "kim"), await app(dealer, "com.example.splits:/back", public=True)
    asked = await kim.ask(native)
    assert "Your answer goes to com.example.splits." in asked.text
    answered = await kim.answer(asked)
    assert answered.to.startswith("com.example.splits:/back?code=")
    assert (await native.trade(answered.told["code"]))[0] == 200
    assert (await kim.ask(native)).status == 200


async def test_a_person_is_told_for_how_long(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    text = (await kim.ask(one)).text
    assert "unused for 30 days" in text
    assert "after 180 days in any case" in text


async def test_a_person_is_asked_again_only_for_what_is_new(dealer: Dealer) -> None:
    again, one = await browser(dealer, "again"), await app(dealer)
    await again.let_in(one)
    silent = await again.ask(one)
    assert silent.status == 303
    assert (await one.trade(silent.told["code"]))[0] == 200
    more = await again.ask(one, scope="activities:read reports:read")
    assert (more.status, "See your monthly reports" in more.text) == (200, True)


async def test_a_public_app_on_loopback_is_always_asked_for(dealer: Dealer) -> None:
    """Any program on the machine could say that it is this app (RFC 8252, 8.6)."""
    careful, native = await browser(dealer, "careful"), await app(dealer, "http://127.0.0.1/back", public=True)
    await careful.let_in(native)
    assert (await careful.ask(native)).status == 200
    web = await app(dealer, public=True)
    await careful.let_in(web)
    assert (await careful.ask(web)).status == 303, "an https address belongs to one app"


async def test_a_person_gives_no_more_than_they_may_do_themselves(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    asked = await kim.ask(one, scope="activities:read bookings:read")
    assert "See your bookings" not in asked.text
    _, tokens = await one.trade((await kim.answer(asked)).told["code"])
    assert tokens["scope"] == "activities:read"
    assert (await kim.ask(one, scope="bookings:read")).told["error"] == "invalid_scope"


# -- who is not signed in, and who no longer is


async def test_who_has_not_confirmed_their_address_lets_no_app_in(dealer: Dealer) -> None:
    """What they may do ends with their day, and an app would go on for half a year."""
    ends = datetime.now(UTC) + timedelta(hours=20)
    order = {"sub": "new-here", "scopes": ["bookings:read", "bookings:write"], "until": ends}
    signed_in = await dealer.accounts.post("/internal/v1/tokens", json=order, type=SignInTokens)
    person = Browser(dealer, "new-here", signed_in.access_token, signed_in.family)
    asked = await person.ask(await app(dealer), scope="bookings:read")
    assert (asked.status, asked.told["error"]) == (303, "invalid_scope")

    standing = {"version": 2, "scopes": ["bookings:read"], "barred": False}
    await dealer.accounts.put("/internal/v1/people/new-here/standing", json=standing)
    assert (await person.ask(await app(dealer), scope="bookings:read")).status == 200, "confirmed, they may"


async def test_who_is_not_signed_in_signs_in_first_and_comes_back(dealer: Dealer) -> None:
    one = await app(dealer)
    sent = await Browser(dealer).ask(one)
    assert sent.status == 303
    assert sent.to.startswith("/#next=")
    back, wanted = urlsplit(unquote(sent.to.removeprefix("/#next="))), urlsplit(one.address())
    assert (back.path, parse_qs(back.query)) == (wanted.path, parse_qs(wanted.query))
    assert (await Browser(dealer).see("GET", GRANTS)).to == "/#next=%2Foauth%2Fgrants"


async def test_a_fault_is_told_to_an_app_only_after_somebody_has_signed_in(dealer: Dealer) -> None:
    """Or Runnerly's address would be a way to send anybody anywhere (RFC 9700, 4.11.2)."""
    one = await app(dealer)
    assert (await Browser(dealer).ask(one, scope="everything")).to.startswith("/#next=")


async def test_a_sign_in_that_has_ended_lets_no_app_in_while_its_access_token_lives_on(dealer: Dealer) -> None:
    left, one = await browser(dealer, "left"), await app(dealer)
    asked = await left.ask(one)
    await dealer.accounts.delete(f"/internal/v1/people/left/families/{left.family}")
    assert (await left.ask(one)).to.startswith("/#next=")
    assert (await left.answer(asked)).to.startswith("/#next=")
    assert "runnerly_access=" in (await left.ask(one)).headers["Set-Cookie"], "or the front page would send them back"


async def test_the_token_of_an_app_lets_no_other_app_in(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    _, tokens = await one.trade(await kim.let_in(one))
    assert (await Browser(dealer, "kim", tokens["access_token"]).ask(one)).to.startswith("/#next=")


async def test_a_bearer_token_is_no_browser(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    bare = Browser(dealer)
    assert (await bare.see("GET", one.address(), Authorization=f"Bearer {kim.token}")).to.startswith("/#next=")


# -- what is wrong with a request


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "app-unknown"},
        {"client_id": "accounts"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/back"},
        {"redirect_uri": "https://app.example/back"},
        {"redirect_uri": f"{BACK}&b=2"},
        {"redirect_uri": "https://app.example:443/back?a=1"},
        {"redirect_uri": "https://APP.example/back?a=1"},
        {"redirect_uri": "https://app.example/./back?a=1"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
async def test_nobody_is_sent_to_an_address_that_was_not_registered(
    dealer: Dealer, changes: dict[str, str | None]
) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    seen = await kim.ask(one, **changes)
    assert (seen.status, seen.to) == (400, "")
    assert "This did not work" in seen.text


async def test_a_confidential_app_has_no_other_port(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer, "http://127.0.0.1:8000/back")
    assert (await kim.ask(one, redirect_uri="http://127.0.0.1:8001/back")).status == 400


async def test_a_parameter_that_comes_twice_is_refused(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    assert (await kim.see("GET", f"{one.address()}&redirect_uri=https://evil.example/")).status == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"scope": "account"}, "invalid_scope"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "service"}, "invalid_scope"),
        ({"scope": 'gr\u00fcn "rot" \\'}, "invalid_scope"),
    ],
)
async def test_what_is_wrong_is_told_to_the_app(dealer: Dealer, changes: dict[str, str | None], error: str) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    seen = await kim.ask(one, **changes)
    assert seen.status == 303
    assert seen.to.startswith(BACK)
    assert (seen.told["error"], seen.told["state"], seen.told["iss"]) == (error, "st&te", dealer.settings.url)
    assert set(seen.told["error_description"]) <= LETTERS


# -- the form


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Accept": "*/*"},
    ],
)
@pytest.mark.parametrize("path", [AUTHORIZE, GRANTS])
async def test_another_site_can_not_answer_in_somebodys_name(
    dealer: Dealer, path: str, headers: dict[str, str]
) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    form = {"question": (await kim.ask(one)).question, "answer": "allow"}
    seen = await kim.see("POST", path, form if path == AUTHORIZE else {"client_id": one.client.id}, **headers)
    assert (seen.status, seen.to) == (403, "")


async def test_the_origin_will_do_for_a_browser_that_says_no_more(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    assert (await kim.answer(await kim.ask(one), Origin=dealer.settings.url)).told["code"]


async def test_an_answer_is_for_what_was_asked_of_this_very_person(dealer: Dealer) -> None:
    kim, pat, one = await browser(dealer, "kim"), await browser(dealer, "pat"), await app(dealer)
    asked = await kim.ask(one)
    seen = await pat.answer(asked)
    assert seen.to.startswith(f"{AUTHORIZE}?"), "pat is asked herself"
    elsewhere = await browser(dealer, "kim")
    assert (await elsewhere.answer(asked)).to.startswith(f"{AUTHORIZE}?"), "and so is kim at another browser"
    assert (await pat.see("GET", seen.to)).question


async def test_an_answer_that_was_made_up_or_changed_is_refused(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    question = (await kim.ask(one)).question
    for made_up in ("", "x", "é", question[:-8], question[:40] + "AAAA" + question[44:]):
        seen = await kim.see("POST", AUTHORIZE, {"question": made_up, "answer": "allow"}, **OURS)
        assert seen.status == 410
    assert (await kim.see("POST", AUTHORIZE, {"question": question, "answer": "maybe"}, **OURS)).status == 400


async def test_a_question_is_over_after_half_an_hour(dealer: Dealer, monkeypatch: pytest.MonkeyPatch) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    monkeypatch.setattr("services.tokendealer.usecases.authorize.ASKED_FOR", timedelta(seconds=-1))
    assert (await kim.answer(await kim.ask(one))).status == 410


async def test_an_app_that_changed_meanwhile_is_not_let_in_as_it_was(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    asked = await kim.ask(one)
    known = await dealer.clients.find(one.client.id)
    assert known is not None
    assert await dealer.clients.replace(known, msgspec.structs.replace(known, scopes=("reports:read",), version=2))
    refused = await kim.answer(asked)
    assert (refused.status, refused.told["error"]) == (303, "invalid_scope")
    await dealer.clients.remove(one.client.id)
    for answer in ("allow", "deny"):
        assert (await kim.answer(asked, answer)).status == 400, "nobody is sent to where an app was"


async def test_nobody_else_can_show_or_use_the_pages(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    pages = [
        (await kim.ask(one), ""),  # or Chromium would hold all redirects after its form against the policy
        (await kim.see("GET", GRANTS), "; form-action 'self'"),
        (await kim.ask(one, client_id="nobody"), "; form-action 'none'"),
    ]
    for page, forms in pages:
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert policy.endswith(f"frame-ancestors 'none'; base-uri 'none'{forms}")
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<script" not in page.text


@pytest.mark.parametrize(
    ("language", "spoken", "words"),
    [
        ("de-CH,en;q=0.5", "de", "Ja, einlassen"),
        ("fr", "fr", "Oui, autoriser"),
        ("en;q=0.1, fr;q=0.9", "fr", "Oui, autoriser"),
        ("xx, *;q=nonsense", "en", "Yes, let it in"),
    ],
)
async def test_the_pages_speak_the_languages_we_have(dealer: Dealer, language: str, spoken: str, words: str) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    kim.language = language
    page = await kim.ask(one)
    assert f'<html lang="{spoken}">' in page.text
    assert words in page.text
    assert (await kim.see("GET", GRANTS)).headers["Content-Language"] == spoken


# -- codes


async def test_a_code_is_good_once_and_who_uses_it_again_ends_what_it_was_traded_for(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    code = await kim.let_in(one)
    _, tokens = await one.trade(code)
    assert await one.is_active(tokens["access_token"])
    status, refused = await one.trade(code)
    assert (status, refused["error"]) == (400, "invalid_grant")
    assert not await one.is_active(tokens["access_token"])
    assert not await one.is_active(tokens["refresh_token"])


async def test_of_two_that_trade_a_code_at_once_none_keeps_tokens(dealer: Dealer) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    for _ in range(5):
        code = await kim.let_in(one)
        answers = await asyncio.gather(*(one.trade(code) for _ in range(4)))
        for status, tokens in answers:
            assert status == 400 or not await one.is_active(tokens["refresh_token"])


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "v" * 43},
        {"code_verifier": "short"},
        {"redirect_uri": "https://app.example/other"},
    ],
)
async def test_a_code_is_for_the_request_that_it_answers(dealer: Dealer, changes: dict[str, str | None]) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer, BACK, "https://app.example/other")
    code = await kim.let_in(one)
    assert (await one.trade(code, **changes))[1]["error"] == "invalid_grant"
    assert (await one.trade(code))[1]["error"] == "invalid_grant", "it is good for one attempt"


@pytest.mark.parametrize("missing", ["code", "code_verifier", "redirect_uri"])
async def test_nothing_may_be_left_out(dealer: Dealer, missing: str) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    code = await kim.let_in(one)
    assert (await one.trade(code, **{missing: None}))[1]["error"] == "invalid_request"
    assert (await one.trade(code))[0] == 200


async def test_a_code_is_for_the_app_that_it_was_given_to(dealer: Dealer) -> None:
    kim, one, other = await browser(dealer, "kim"), await app(dealer), await app(dealer)
    code = await kim.let_in(one)
    other.verifier = one.verifier
    assert (await other.trade(code))[1]["error"] == "invalid_grant"
    one.secret, secret = "wrong", one.secret
    assert (await one.trade(code))[0] == 401
    one.secret = None
    assert (await one.trade(code))[0] == 401, "a confidential app proves who it is"
    one.secret = secret
    assert (await one.trade(code))[0] == 200, "and others can't use it up"


async def test_a_code_lives_for_a_minute_and_is_kept_as_a_hash(dealer: Dealer, monkeypatch: pytest.MonkeyPatch) -> None:
    kim, one = await browser(dealer, "kim"), await app(dealer)
    codes = dealer.codes
    code = await kim.let_in(one)
    kept = await codes.find(dealer.box.keyed_hash(CODE_PURPOSE, code))
    assert kept is not None
    assert kept.expires_at - kept.created_at == timedelta(seconds=60)
    assert code not in repr(kept)
    assert not await codes.trade(kept.id, "x" * 24, datetime.now(UTC) + timedelta(seconds=61))


async def test_a_person_who_changes_their_mind_while_a_code_is_traded_is_heard(
    dealer: Dealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, one = await browser(dealer, "late"), await app(dealer)
    code = await late.let_in(one)
    begun = trade_code.IssueTokens.__call__

    async def slowly(*args: Any, **options: Any) -> Any:
        await late.see("POST", GRANTS, {"client_id": one.client.id}, **OURS)
        return await begun(*args, **options)

    monkeypatch.setattr(trade_code.IssueTokens, "__call__", slowly)
    assert (await one.trade(code))[1]["error"] == "invalid_grant"
    assert [family.client for family in await dealer.families_of("late")] == ["runnerly"]


async def test_a_code_gives_no_more_than_its_person_says_yes_to_now(dealer: Dealer) -> None:
    """They took all back, and let the app in anew for less, while the first code was waiting."""
    less, one = await browser(dealer, "lesser"), await app(dealer)
    code = await less.let_in(one, scope="activities:read reports:read")
    kept = await dealer.codes.find(dealer.box.keyed_hash(CODE_PURPOSE, code))
    await less.see("POST", GRANTS, {"client_id": one.client.id}, **OURS)
    await less.let_in(one, scope="reports:read")
    assert kept is not None
    await dealer.codes.add(kept)  # as if it had been on its way into the database just then
    assert (await one.trade(code))[1]["error"] == "invalid_grant"
    assert [family.client for family in await dealer.families_of("lesser")] == ["runnerly"]


# -- afterwards


async def test_who_lets_an_app_in_sees_it_and_shows_it_out(dealer: Dealer) -> None:
    host, one, other = await browser(dealer, "host"), await app(dealer), await app(dealer, name="Another")
    _, tokens = await one.trade(await host.let_in(one))
    _, kept = await other.trade(await host.let_in(other))
    page = (await host.see("GET", GRANTS)).text
    assert page.count("<section") == 2
    assert "Splits &lt;on&gt; a map" in page
    shown_out = await host.see("POST", GRANTS, {"client_id": one.client.id}, **OURS)
    assert (shown_out.status, shown_out.to) == (303, GRANTS)
    assert not await one.is_active(tokens["access_token"])
    assert (await one.post(TOKEN, grant_type="refresh_token", refresh_token=tokens["refresh_token"]))[0] == 400
    assert await other.is_active(kept["access_token"])
    assert (await host.ask(one)).status == 200, "it has to ask again"


async def test_an_app_trades_its_refresh_token_only_where_it_proves_itself(dealer: Dealer) -> None:
    """Not at the front door for people, where nobody asks for its secret."""
    kim, one = await browser(dealer, "kim"), await app(dealer)
    _, tokens = await one.trade(await kim.let_in(one))
    with pytest.raises(Exception, match="session-ended"):
        await dealer.refresh(tokens["refresh_token"])
    assert await one.is_active(tokens["refresh_token"])


async def test_a_new_password_ends_what_apps_were_about_to_get(dealer: Dealer) -> None:
    reset, one = await browser(dealer, "reset"), await app(dealer)
    code = await reset.let_in(one)
    await dealer.accounts.delete("/internal/v1/people/reset/families")
    assert (await one.trade(code))[1]["error"] == "invalid_grant"


async def test_what_a_person_may_no_longer_do_an_app_may_not_either(dealer: Dealer) -> None:
    less, one = await browser(dealer, "less"), await app(dealer)
    code = await less.let_in(one, scope="activities:read reports:read")
    await dealer.accounts.put("/internal/v1/people/less/standing", json={"version": 2, "scopes": ["reports:read"]})
    assert (await one.trade(code))[1]["scope"] == "reports:read"


async def test_takeout_tells_of_apps_let_in_and_deletion_ends_them(dealer: Dealer) -> None:
    gone, one = await browser(dealer, "gone"), await app(dealer)
    code = await gone.let_in(one)
    _, tokens = await one.trade(code)
    waiting = await gone.let_in(one, scope="activities:read reports:read")
    async with dealer.accounts.stream("/internal/v1/people/gone") as answer:
        content = b"".join([chunk async for chunk in answer.chunks()])
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        names = archive.getnames()
    assert f"apps-let-in/{one.client.id}.json" in names
    assert "codes-for-apps/1.json" in names
    assert code.encode() not in content
    await dealer.accounts.delete("/internal/v1/people/gone")
    assert not await one.is_active(tokens["refresh_token"])
    assert (await one.trade(waiting))[1]["error"] == "invalid_grant"
    assert await dealer.consents.of_person("gone") == []
    assert await dealer.codes.of_person("gone") == []


async def test_the_metadata_says_what_works(dealer: Dealer) -> None:
    metadata, _ = await dealer.get("/.well-known/oauth-authorization-server")
    url = dealer.settings.url
    assert metadata["issuer"] == url
    assert metadata["authorization_endpoint"] == url + AUTHORIZE
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["response_modes_supported"] == ["query"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["grant_types_supported"] == ["authorization_code", "client_credentials", "refresh_token"]
    assert "none" in metadata["token_endpoint_auth_methods_supported"]
    assert "none" not in metadata["introspection_endpoint_auth_methods_supported"]
