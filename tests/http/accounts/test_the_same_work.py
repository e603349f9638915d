"""Who asks learns nothing from the time it takes: the hashing is the same for a known and an unknown name.

Counted, not timed: a hash is by far the dearest thing there. Where there is none, it is what is written that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher

from services.chassis import context
from services.chassis.bus.event import Message
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Session
from tests.support.street import PASSWORD, Street

KIM, LOU, NOBODY = "kim@runnerly.test", "lou@runnerly.test", "nobody@runnerly.test"
ONE_CHECK, ONE_HASH, NONE = ["verify 19456 2 1"], ["hash 19456 2 1"], list[str]()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hasher was asked to do, and with which parameters."""
    done: list[str] = []

    def counted(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def counting(self: PasswordHasher, *args: Any) -> Any:
            done.append(f"{name} {self.memory_cost} {self.time_cost} {self.parallelism}")
            return work(self, *args)

        return counting

    for name in ("hash", "verify"):
        monkeypatch.setattr(PasswordHasher, name, counted(name, getattr(PasswordHasher, name)))
    return done


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What each request had told: the labels of what it wrote into the outbox. What comes of it later is no request's."""
    done: list[list[str]] = []
    add = Outbox.add

    async def counting(self: Outbox, session: Session | None, *messages: Message) -> None:
        if (running := context.current()) and running.operation in {"signIn", "mailActivation", "mailPasswordReset"}:
            done.append([message.label for message in messages])
        await add(self, session, *messages)

    monkeypatch.setattr(Outbox, "add", counting)
    return done


@pytest.mark.parametrize("path", ["accounts/activation-mails", "accounts/password-resets"])
async def test_a_link_is_wanted_and_no_more_is_done_before_the_answer(
    town: Street, told: list[list[str]], path: str
) -> None:
    """Whether there is an account, and what its owner gets, is found out later."""
    await town.active_runner(KIM)
    await town.register(LOU)

    works = []
    for email in (KIM, LOU, NOBODY):
        told.clear()
        assert (await town.ask("POST", path, {"email": email})).status == 202
        works.append(list(told))

    assert works == 3 * [[["accounts.links"]]]
    waiting = town.mongo.database("runnerly_bus").collection("messages")
    kept = [str(document) async for document in waiting.find()]
    assert not [one for one in kept if NOBODY in one], "the address of nobody of ours is nowhere in clear"


@pytest.mark.parametrize(
    ("path", "more", "work"),
    [
        ("sessions", {"password": "not the pass phrase"}, ONE_CHECK),
        ("accounts", {"password": PASSWORD, "name": "Kim"}, ONE_HASH),
        ("accounts/activation-mails", {}, NONE),
        ("accounts/password-resets", {}, NONE),
    ],
)
async def test_for_strangers(town: Street, hashed: list[str], path: str, more: dict[str, str], work: list[str]) -> None:
    await town.active_runner(KIM)
    await town.register(LOU)

    answers, works = [], []
    for email in (KIM, LOU, NOBODY):
        hashed.clear()
        answer = await town.ask("POST", path, {"email": email, **more})
        answers.append((answer.status, answer.body | {"instance": ""}))
        works.append(list(hashed))

    assert works == [work, work, work]
    assert answers == 3 * answers[:1]


async def test_a_name_that_has_to_wait_costs_the_same_too(
    town: Street, hashed: list[str], told: list[list[str]]
) -> None:
    await town.active_runner(KIM)

    works = []
    for email in (KIM, NOBODY):
        hashed.clear()
        told.clear()
        statuses = [(await town.sign_in(email, f"wrong {number}")).status for number in range(12)]
        works.append((statuses, list(hashed), list(told)))

    assert works[0] == works[1] == ([*(10 * [401]), 429, 429], 10 * ONE_CHECK, [["accounts.links"]])


async def test_for_who_asks_for_another_address(town: Street, hashed: list[str]) -> None:
    token = await town.active_runner(KIM)
    await town.active_runner(LOU)

    works = []
    for email in (LOU, NOBODY):
        hashed.clear()
        body = {"email": email, "password": PASSWORD}
        assert (await town.ask("POST", "accounts/me/email", body, token=token)).status == 202
        works.append(list(hashed))

    assert works == [ONE_CHECK, ONE_CHECK]


async def test_a_link_that_was_made_up_costs_no_hash(town: Street, hashed: list[str]) -> None:
    hashed.clear()
    body = {"token": "x" * 43, "password": PASSWORD}

    assert (await town.ask("POST", "accounts/password-resets/complete", body)).status == 410
    assert hashed == []
