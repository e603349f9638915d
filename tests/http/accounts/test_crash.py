"""`kill -9` after an answer: what was answered 202 is an account, and its mail goes out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.accounts import events
from services.accounts.app import SERVICE as ACCOUNTS
from services.accounts.store.accounts import Accounts
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Mongo
from tests.support.database import DatabaseServer
from tests.support.mail import mail_server
from tests.support.street import street
from tests.support.street_process import Process, prepare
from tests.support.waiting import eventually, eventually_is


@pytest.mark.parametrize("after_s", [0.0, 0.3])
async def test_what_was_answered_goes_out_after_a_kill(
    database_server: DatabaseServer, tmp_path: Path, after_s: float
) -> None:
    mongo = Mongo(database_server.uri)
    await prepare(mongo, tmp_path)
    async with mail_server() as mail:
        process = Process(database_server.uri, tmp_path, mail.url)
        await process.start()
        emails = [f"kim{number}@runnerly.test" for number in range(4)]
        assert await asyncio.gather(*(process.register(email) for email in emails)) == [202] * 4
        await asyncio.sleep(after_s)
        process.kill()

        await process.start()
        await eventually(lambda: {to for to, _ in mail.taken} == set(emails), within_s=150)
        process.kill()
    ids = {(to, message["Message-ID"]) for to, message in mail.taken}
    assert len(ids) == 4, "a second copy of a mail has the Message-ID of the first"
    mongo.close()


async def test_who_is_disabled_is_out_whatever_is_killed_before_the_tokendealer_heard_of_it(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    """The change is committed, and the process killed before it could do anything else: as if it were never told."""
    mongo = Mongo(database_server.uri)
    own = mongo.database(ACCOUNTS.database)
    async with street(database_server, tmp_path) as town:
        await town.active_runner()
        tokens = (await town.sign_in()).body
        [found] = [document async for document in own.collection("accounts").find()]
    accounts = Accounts(own, Outbox(own, hold_s=0.1))
    await accounts.change(
        found["_id"],
        lambda account: replace(account, disabled_at=datetime.now(UTC)),
        lambda _, after: [events.disabled_or_enabled(after)],
    )
    families = mongo.database("runnerly_tokendealer").collection("families")
    assert await families.count_documents({"sub": found["_id"]}) == 2

    async with street(database_server, tmp_path, fresh=False) as town:
        await eventually_is(0, lambda: families.count_documents({"sub": found["_id"]}))
        renewed = await town.ask("POST", "sessions/refresh", {"refresh_token": tokens["refresh_token"]})
    assert renewed.status == 401
    mongo.close()
