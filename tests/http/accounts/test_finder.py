"""Finding accounts in the database itself: what no request shows, or only among very many."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from services.accounts import store
from services.accounts.domain.accounts import Account, Profile
from services.accounts.domain.finding import Listed
from services.accounts.store import finder
from services.accounts.store.accounts import Accounts
from services.accounts.store.directory import Numbers
from services.accounts.store.finder import Finder
from services.chassis.bus import outbox
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import unkeyed
from services.chassis.mongo import Database

NOW = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


@pytest.fixture
async def crowd(database: Database) -> Database:
    """Thirty people at one domain, of whom the first is at another that begins like it."""
    await database.apply([*store.COLLECTIONS, *outbox.COLLECTIONS])
    accounts = Accounts(database, Outbox(database))
    for number in range(30):
        domain = "outlook.test" if number else "outlook.example"
        email = f"person{number:02}@{domain}"
        account = Account(f"{number:02}-id", email, "-", Profile(f"Person {number}"), NOW)
        await accounts.add(account, email, [], [], unkeyed())
    return database


async def test_each_number_is_given_out_once_also_to_many_at_once(database: Database) -> None:
    numbers = [Numbers(database) for _ in range(4)]

    given = await asyncio.gather(*(numbers[each % 4].next() for each in range(40)))

    assert sorted(given) == list(range(1, 41))
    assert await numbers[0].last() == 40


async def test_a_page_ends_early_where_much_was_looked_at_and_the_next_goes_on(
    crowd: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the ninth letter tells the one from the others, and the index has eight."""
    monkeypatch.setattr(finder, "_MOST_READ", 5)
    monkeypatch.setattr(finder, "_NARROWEST", 4)
    found: list[Listed] = []
    pages, before = 0, None
    while pages == 0 or before is not None:
        page, before = await Finder(crowd).page(["outlook.e"], before, 2)
        found += page
        pages += 1

    assert [listed.account.id for listed in found] == ["00-id"]
    assert pages > 2


async def test_pages_leave_nobody_out_and_show_nobody_twice(crowd: Database) -> None:
    await crowd.collection("accounts").delete_many({"number": {"$in": [7, 8, 9, 30]}})
    for words in ([], ["person"], ["outlook", "p"]):
        numbers: list[int] = []
        before: int | None = None
        while not numbers or before is not None:
            page, before = await Finder(crowd).page(words, before, 4)
            numbers += [listed.number for listed in page]
        assert numbers == [number for number in range(29, 0, -1) if number not in {7, 8, 9}]


async def test_somebody_is_seen_once_an_hour(crowd: Database) -> None:
    accounts = Accounts(crowd, Outbox(crowd))
    later = NOW.replace(minute=30), NOW.replace(hour=9)

    for moment, seen in ((NOW, NOW), (later[0], NOW), (later[1], later[1])):
        await accounts.saw("03-id", moment)
        assert await accounts.last_seen("03-id") == seen
