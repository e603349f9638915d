"""Sign-ins, as accounts begins, renews and ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.chassis.http_client import PeerRefused
from services.tokendealer.handlers.families import SignInTokens
from tests.support.database import DatabaseServer
from tests.support.tokendealer import Dealer, tokendealer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dealer]:
    """One for all tests of this module but the last."""
    async with tokendealer(database_server, tmp_path_factory.mktemp("home")) as dealer:
        yield dealer


@pytest_asyncio.fixture(loop_scope="module")
async def dealer(shared: Dealer) -> Dealer:
    """The shared one, with nobody signed in."""
    for sub in ("runner-1", "runner-2"):
        await shared.families.end_all_of_person(sub)
    return shared


async def ended(dealer: Dealer, refresh_token: str) -> bool:
    """Whether this refresh token is refused; where it is not, it is used up now."""
    try:
        await dealer.refresh(refresh_token)
    except PeerRefused as refusal:
        return (refusal.status, refusal.type) == (410, "/problems/session-ended")
    return False


async def test_a_sign_in_is_renewed_again_and_again(dealer: Dealer) -> None:
    now = await dealer.sign_in()
    seen = {now.refresh_token}
    for _ in range(4):
        now = await dealer.refresh(now.refresh_token)
        seen.add(now.refresh_token)
        assert (now.sub, now.scope, now.expires_in) == ("runner-1", "account activities:read", 300)
    assert len(seen) == 5
    (family,) = await dealer.families_of("runner-1")
    assert (family.id, family.label, family.client) == (now.family, "a browser", "runnerly")


async def test_a_used_token_ends_the_whole_sign_in_at_once(dealer: Dealer) -> None:
    first = await dealer.sign_in()
    second = await dealer.refresh(first.refresh_token)
    assert await ended(dealer, first.refresh_token)
    assert await ended(dealer, second.refresh_token)


async def test_an_old_token_ends_it_too(dealer: Dealer) -> None:
    first = await dealer.sign_in()
    now = await dealer.refresh((await dealer.refresh(first.refresh_token)).refresh_token)
    assert await ended(dealer, first.refresh_token)
    assert await ended(dealer, now.refresh_token)


async def test_requests_with_one_token_that_overlap_rotate_once_and_get_the_same(dealer: Dealer) -> None:
    first = await dealer.sign_in()
    answers = await asyncio.gather(*(dealer.refresh(first.refresh_token) for _ in range(12)), return_exceptions=True)
    got = {answer.refresh_token for answer in answers if isinstance(answer, SignInTokens)}
    assert len(got) == 1
    family = await dealer.families.find(first.family, datetime.now(UTC))
    if family is not None:  # one that came after the others had ended was a reuse
        assert family.generation == 2


@pytest.mark.parametrize("change", ["guess", "other family", "next generation", "no generation", "rubbish", "empty"])
async def test_a_guess_is_refused_and_ends_nobodys_sign_in(change: str, dealer: Dealer) -> None:
    mine, yours = await dealer.sign_in("runner-1"), await dealer.sign_in("runner-2")
    family, generation, tag = mine.refresh_token.split(".")
    guess = {
        "guess": f"{family}.{generation}.{'0' * 64}",
        "other family": f"{yours.family}.{generation}.{tag}",
        "next generation": f"{family}.2.{tag}",
        "no generation": f"{family}.{tag}",
        "rubbish": "x" * 200,
        "empty": "",
    }[change]
    assert await ended(dealer, guess)
    assert not await ended(dealer, mine.refresh_token)
    assert not await ended(dealer, yours.refresh_token)


async def test_a_person_sees_and_ends_their_sign_ins(dealer: Dealer) -> None:
    one, two, three = [await dealer.sign_in() for _ in range(3)]
    other = await dealer.sign_in("runner-2")
    assert [family.id for family in await dealer.families_of("runner-1")] == [three.family, two.family, one.family]
    with pytest.raises(PeerRefused, match="not-found"):
        await dealer.accounts.delete(f"/internal/v1/people/runner-1/families/{other.family}")
    await dealer.accounts.delete(f"/internal/v1/people/runner-1/families/{two.family}")
    assert await ended(dealer, two.refresh_token)
    await dealer.accounts.delete(f"/internal/v1/people/runner-1/families?keep={three.family}")
    assert [family.id for family in await dealer.families_of("runner-1")] == [three.family]
    await dealer.accounts.delete("/internal/v1/people/runner-1/families")
    assert await dealer.families_of("runner-1") == []
    assert not await ended(dealer, other.refresh_token)


async def test_signing_out_by_refresh_token(dealer: Dealer) -> None:
    first = await dealer.sign_in()
    second = await dealer.refresh(first.refresh_token)
    for token in ("rubbish", first.refresh_token):
        await dealer.accounts.post("/internal/v1/tokens/revoke", json={"refresh_token": token})
    assert await ended(dealer, second.refresh_token)


async def test_what_a_person_may_do_changes_with_the_next_refresh(dealer: Dealer) -> None:
    app, secret = await dealer.add_client("account")
    own = await dealer.sign_in("runner-1", "runnerly", "bookings:read")
    apps = await dealer.sign_in("runner-1", app.id, "account", "hotelier")
    await dealer.accounts.put(
        "/internal/v1/people/runner-1/standing", json={"version": 2, "scopes": ["account", "activities:read"]}
    )
    assert (await dealer.refresh(own.refresh_token)).scope == "account activities:read"
    form = {"grant_type": "refresh_token", "client_id": app.id, "client_secret": secret}
    _, refreshed = await dealer.post("/oauth/token", {**form, "refresh_token": apps.refresh_token})
    assert refreshed["scope"] == "account"


@pytest.mark.parametrize(
    "order",
    [
        {"sub": "x", "scopes": ["service"]},
        {"sub": "x", "scopes": ["made:up"]},
        {"sub": "", "scopes": []},
        {"sub": "x", "scopes": [], "label": "x" * 201},
        {"sub": "x", "scopes": [], "audience": "mailer"},
        {"scopes": []},
    ],
    ids=str,
)
async def test_an_order_that_makes_no_sense_is_refused(order: dict[str, Any], dealer: Dealer) -> None:
    with pytest.raises(PeerRefused) as caught:
        await dealer.accounts.post("/internal/v1/tokens", json=order)
    assert caught.value.status == 422


async def test_only_accounts_makes_tokens_for_people(dealer: Dealer) -> None:
    begun = await dealer.sign_in()
    calls = [
        dealer.mailer.post("/internal/v1/tokens", json={"sub": "x", "scopes": []}),
        dealer.mailer.post("/internal/v1/tokens/refresh", json={"refresh_token": begun.refresh_token}),
        dealer.mailer.post("/internal/v1/tokens/revoke", json={"refresh_token": begun.refresh_token}),
        dealer.mailer.get("/internal/v1/people/runner-1/families"),
        dealer.mailer.delete("/internal/v1/people/runner-1/families"),
        dealer.mailer.delete(f"/internal/v1/people/runner-1/families/{begun.family}"),
        dealer.mailer.put("/internal/v1/people/runner-1/standing", json={"version": 2, "scopes": ["admin"]}),
    ]
    for call in calls:
        with pytest.raises(PeerRefused) as caught:
            await call
        assert caught.value.status == 403
    assert not await ended(dealer, begun.refresh_token)


async def test_a_persons_token_opens_nothing_here(dealer: Dealer) -> None:
    begun = await dealer.sign_in()
    headers = {"Authorization": f"Bearer {begun.access_token}"}
    url = f"{dealer.settings.peer('tokendealer')}/internal/v1/people/runner-1/families"
    async with dealer.client.get(url, headers=headers) as answer:
        assert answer.status == 401
    async with dealer.client.get(
        f"{dealer.settings.url}/internal/v1/people/runner-1/families", headers=headers
    ) as answer:
        assert answer.status == 404


async def test_a_person_who_goes_leaves_nothing_and_can_not_come_back(dealer: Dealer) -> None:
    begun = await dealer.sign_in("gone")
    async with dealer.accounts.stream("/internal/v1/people/gone") as takeout:
        taken = b"".join([chunk async for chunk in takeout.chunks()])
    assert begun.family.encode() in taken
    assert begun.refresh_token.split(".")[2].encode() not in taken
    await dealer.accounts.delete("/internal/v1/people/gone")
    assert await dealer.families_of("gone") == []
    assert await ended(dealer, begun.refresh_token)
    with pytest.raises(PeerRefused) as caught:
        await dealer.sign_in("gone")
    assert caught.value.status == 410


async def test_a_sign_in_ends_when_it_is_not_used(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with tokendealer(
        database_server, tmp_path, RUNNERLY_SESSION_IDLE_DAYS="7", RUNNERLY_SESSION_DAYS="9"
    ) as dealer:
        begun = await dealer.sign_in()
        (family,) = await dealer.families_of("runner-1")
        assert (family.expires_at - family.created_at).days == 7
        assert abs((begun.expires_at - family.expires_at).total_seconds()) < 0.01
