"""The mailer's store on a real database: a message is held by one sender at a time, and never lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.chassis.idempotency import unkeyed
from services.chassis.mongo import Database
from services.mailer.domain.messages import Attempt, Message, Outcome, State, after_attempt, finished
from services.mailer.store import COLLECTIONS, Store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LEASE = timedelta(minutes=2)


def message(number: int = 1, *, due_at: datetime = NOW) -> Message:
    return Message(
        f"m{number}",
        "activate",
        "kim@runnerly.test",
        "en",
        {"token": "t"},
        NOW,
        due_at=due_at,
        sub="runner-1",
        trace_id="a",
    )


@pytest.fixture
async def store(database: Database) -> Store:
    await database.apply(COLLECTIONS)
    return Store(database, kept_for=timedelta(days=30))


async def test_a_message_comes_back_as_it_was(store: Store) -> None:
    tried = after_attempt(message(), Attempt(NOW, Outcome.TEMPORARY, 451, "later"), give_up_after=timedelta(days=1))
    tried = msgspec.structs.replace(tried, due_at=NOW)
    await store.add(tried, unkeyed())

    assert await store.read("m1") == tried
    assert await store.read("m2") is None


async def test_many_senders_never_hold_one_message_at_once(store: Store) -> None:
    for number in range(20):
        await store.add(message(number), unkeyed())

    claims = await asyncio.gather(*(store.claim(NOW, LEASE) for _ in range(30)))

    held = [claim.message.id for claim in claims if claim]
    assert sorted(held) == sorted({f"m{number}" for number in range(20)})


async def test_a_message_is_not_claimed_before_it_is_due(store: Store) -> None:
    await store.add(message(due_at=NOW + timedelta(seconds=5)), unkeyed())

    assert await store.claim(NOW, LEASE) is None
    assert await store.claim(NOW + timedelta(seconds=5), LEASE) is not None


async def test_a_sender_that_was_killed_only_delays_its_message_and_can_t_write_any_more(store: Store) -> None:
    await store.add(message(), unkeyed())
    dead = await store.claim(NOW, LEASE)
    assert dead
    assert await store.claim(NOW + LEASE - timedelta(seconds=1), LEASE) is None
    heir = await store.claim(NOW + LEASE, LEASE)
    assert heir

    assert not await store.settle(dead, finished(dead.message, State.FAILED, NOW))
    assert await store.settle(heir, finished(heir.message, State.SENT, NOW))
    found = await store.read("m1")
    assert found
    assert found.state is State.SENT


async def test_a_claim_can_be_held_for_longer_while_it_is_ours(store: Store) -> None:
    await store.add(message(), unkeyed())
    ours = await store.claim(NOW, LEASE)
    assert ours
    await store.renew(ours, NOW + 2 * LEASE)
    assert await store.claim(NOW + LEASE, LEASE) is None

    theirs = await store.claim(NOW + 2 * LEASE, LEASE)
    await store.renew(ours, NOW + 9 * LEASE)
    assert theirs
    await store.settle(theirs, finished(theirs.message, State.SENT, NOW))
    await store.renew(theirs, NOW)

    assert await store.claim(NOW + 10 * LEASE, LEASE) is None


async def test_what_is_done_is_purged_of_address_and_words(store: Store, database: Database) -> None:
    await store.add(message(), unkeyed())
    claim = await store.claim(NOW, LEASE)
    assert claim
    await store.settle(claim, finished(claim.message, State.SENT, NOW))

    [kept] = await database.collection("messages").find({}).to_list(None)
    assert "kim" not in str(kept)
    assert "token" not in str(kept)
    assert kept["purge_at"] == NOW + timedelta(days=30)
    assert await store.claim(NOW + timedelta(days=2), LEASE) is None
    assert await store.waiting_since() is None


async def test_a_suppression_holds_until_it_ends(store: Store) -> None:
    await store.suppress("hash", NOW + timedelta(days=1))

    assert await store.is_suppressed("hash", NOW)
    assert not await store.is_suppressed("other", NOW)
    assert not await store.is_suppressed("hash", NOW + timedelta(days=1))


async def test_a_person_s_messages_can_be_taken_out_and_forgotten(store: Store) -> None:
    await store.add(message(1), unkeyed())
    await store.add(msgspec.structs.replace(message(2), sub="runner-2"), unkeyed())

    assert [each.id async for each in store.of_person("runner-1")] == ["m1"]
    await store.erase("runner-1")
    assert [each.id async for each in store.of_person("runner-1")] == []
    assert await store.read("m2") is not None
