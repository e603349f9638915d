"""How people stand: the newest version of an account counts, and who is barred has no session, whatever comes when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.http_answers import PeerRefused
from services.tokendealer.handlers.families import SignInTokens
from tests.support.apps import app, browser
from tests.support.database import DatabaseServer
from tests.support.tokendealer import Dealer, tokendealer

OWN = ["account", "activities:read", "reports:read"]


@pytest.fixture
async def dealer(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Dealer]:
    """A tokendealer."""
    async with tokendealer(database_server, tmp_path) as served:
        yield served


async def settle(dealer: Dealer, version: int, *scopes: str, barred: bool = False, sub: str = "runner-1") -> None:
    standing = {"version": version, "scopes": scopes, "barred": barred}
    await dealer.accounts.put(f"/internal/v1/people/{sub}/standing", json=standing)


async def sign_in(dealer: Dealer) -> SignInTokens | int:
    try:
        return await dealer.sign_in()
    except PeerRefused as refused:
        return refused.status


async def test_who_is_barred_has_no_session_and_gets_none_until_the_bar_is_gone(dealer: Dealer) -> None:
    await dealer.sign_in()

    await settle(dealer, 2, barred=True)

    assert await dealer.families_of("runner-1") == []
    assert await sign_in(dealer) == 410
    assert await dealer.families_of("runner-1") == []
    await settle(dealer, 3, *OWN)
    assert isinstance(await sign_in(dealer), SignInTokens)


async def test_the_newest_version_counts_in_whatever_order_it_comes(dealer: Dealer) -> None:
    await settle(dealer, 5, *OWN)
    await settle(dealer, 4, barred=True)
    assert isinstance(await sign_in(dealer), SignInTokens)

    begun = await dealer.sign_in("runner-1", "runnerly", *OWN, "admin")
    await asyncio.gather(
        *(settle(dealer, version, *OWN, *(["admin"] if version < 12 else [])) for version in range(6, 13))
    )
    assert "admin" not in (await dealer.refresh(begun.refresh_token)).scope.split()


async def test_of_a_bar_and_a_sign_in_at_once_no_session_is_left(dealer: Dealer) -> None:
    await asyncio.gather(*(sign_in(dealer) for _ in range(10)), settle(dealer, 2, barred=True))

    assert await dealer.families_of("runner-1") == []


async def test_a_code_that_an_app_was_given_is_worth_nothing_once_its_person_is_barred(dealer: Dealer) -> None:
    person, third = await browser(dealer, "runner-1"), await app(dealer)
    code = await person.let_in(third)

    await settle(dealer, 2, barred=True)

    status, told = await third.trade(code)
    assert (status, told["error"]) == (400, "invalid_grant")
    assert (await person.ask(third)).to.startswith("/#next="), "and they are not signed in any more"


async def test_an_order_that_makes_no_sense_is_refused(dealer: Dealer) -> None:
    for order in ({"version": 0, "scopes": []}, {"scopes": []}, {"version": 1}, {"version": 1, "scopes": ["service"]}):
        with pytest.raises(PeerRefused) as caught:
            await dealer.accounts.put("/internal/v1/people/runner-1/standing", json=order)
        assert caught.value.status == 422
