"""Accounts whose address nobody confirms go after a while, and nothing that somebody waits for goes with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.accounts.clients.owners import Owners
from services.accounts.store.accounts import Accounts
from services.accounts.store.deletions import Deletions
from services.accounts.store.migrations import MIGRATIONS
from services.accounts.usecases.deletions import Seal
from services.accounts.usecases.remove_unconfirmed import RemoveUnconfirmed
from services.activities import app as activities
from services.chassis.bus.outbox import Outbox
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.secrets import read_secrets
from services.chassis.tombstones import Tombstones
from services.mailer.people import MailOfPeople
from tests.support.database import DatabaseServer
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.street import Street, street
from tests.support.traces import traces
from tests.support.waiting import eventually_is

KIM, LOU = "kim@runnerly.test", "lou@runnerly.test"
MONTH, DAY = timedelta(days=30), timedelta(days=1)

Pass = Callable[[timedelta], Awaitable[None]]


@asynccontextmanager
async def passing(town: Street, *owners: str) -> AsyncIterator[Pass]:
    """What looks for unconfirmed accounts, as it would after some time."""
    settings, logs = town.settings, RecordedLogs()
    outbox, box = Outbox(town.database), read_secrets(settings)
    accounts = Accounts(town.database, outbox)
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    peers = {name: Peer.of(name, settings, http, Identity.of("accounts", settings, http)) for name in owners}
    began = datetime.now(UTC)

    async def pass_(time: timedelta) -> None:
        await RemoveUnconfirmed(
            accounts,
            Deletions(town.database, outbox, accounts, Tombstones(town.database, box)),
            Owners(peers),
            Seal(box),
            MONTH,
            lambda: began + time,
            logs.logger(),
        )()

    yield pass_
    await http.close()
    logs.close()


@pytest.fixture
async def pass_time(town: Street) -> AsyncIterator[Pass]:
    """As `passing`, with all services that are there as owners."""
    async with passing(town, *(service.name for service in town.services)) as pass_:
        yield pass_


async def emails(town: Street) -> list[str]:
    """Whose accounts are there."""
    return sorted([found["email"] async for found in town.database.collection("accounts").find()])


async def waits_since(town: Street, moment: datetime) -> None:
    """Have all that wait to be confirmed wait since then."""
    accounts = town.database.collection("accounts")
    await accounts.update_many({"activated_at": None}, {"$set": {"unconfirmed_since": moment}})


async def test_an_account_goes_that_nobody_confirms_and_every_other_stays(town: Street, pass_time: Pass) -> None:
    await town.active_runner(LOU)
    await town.register(KIM)

    await pass_time(MONTH - DAY)
    assert await emails(town) == [KIM, LOU]
    await pass_time(MONTH + DAY)
    assert await emails(town) == [LOU]

    [secret] = await town.secrets_mailed_to(KIM)
    assert (await town.activate(secret)).status == 410
    assert (await town.sign_in(KIM)).kind == "invalid-credentials"
    await town.register(KIM)
    assert await emails(town) == [KIM, LOU], "the address is free"
    assert (await town.activate((await town.secrets_mailed_to(KIM, 2))[1])).status == 200


async def test_who_asks_for_a_link_has_as_long_again(town: Street, pass_time: Pass) -> None:
    await town.register(KIM)
    await town.secrets_mailed_to(KIM)
    await waits_since(town, datetime.now(UTC) - MONTH)
    for number, ask in enumerate(("accounts/activation-mails", "accounts/password-resets"), 1):
        assert (await town.ask("POST", ask, {"email": KIM})).status == 202
        await town.subjects_to(KIM, number + 1)
        await pass_time(DAY)
        assert await emails(town) == [KIM]
        await waits_since(town, datetime.now(UTC) - MONTH)
    await town.register(KIM)
    await town.secrets_mailed_to(KIM, 3)
    await pass_time(DAY)
    assert await emails(town) == [KIM], "registering again asks for a link, too"
    await pass_time(MONTH + 3 * DAY)
    assert await emails(town) == []


async def test_of_a_confirmation_and_the_end_at_one_moment_one_counts(town: Street, pass_time: Pass) -> None:
    outcomes = set()
    for number in range(8):
        email = f"kim{number}@runnerly.test"
        await town.register(email)
        [secret] = await town.secrets_mailed_to(email)

        ended = asyncio.create_task(pass_time(MONTH + DAY))
        await asyncio.sleep(0.005 * number)
        answer = await town.activate(secret)
        await ended

        assert (answer.status == 200) == (email in await emails(town))
        assert (await town.sign_in(email)).status == (201 if answer.status == 200 else 401)
        outcomes.add(answer.status)
    assert outcomes <= {200, 410}


async def test_who_registers_again_at_that_moment_has_an_account_and_a_link(town: Street, pass_time: Pass) -> None:
    for number in range(6):
        email = f"kim{number}@runnerly.test"
        await town.register(email)
        await town.secrets_mailed_to(email)

        ended = asyncio.create_task(pass_time(MONTH + DAY))
        await asyncio.sleep(0.005 * number)
        assert (await town.register(email)).status == 202
        await ended

        assert email in await emails(town)
        assert (await town.activate((await town.secrets_mailed_to(email, 2))[-1])).status == 200


async def test_what_is_under_way_for_somebody_keeps_their_account(
    town: Street, pass_time: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bookings, when they are there: an account may book for a day before it is confirmed."""
    await town.register(KIM)
    await town.register(LOU)
    kim = await town.database.collection("accounts").find_one({"email": KIM})
    assert kim

    async def is_bound(_: MailOfPeople, sub: str) -> bool:
        return bool(sub == kim["_id"])

    monkeypatch.setattr(MailOfPeople, "is_bound", is_bound, raising=False)
    await pass_time(MONTH + DAY)
    assert await emails(town) == [KIM]

    monkeypatch.undo()
    await pass_time(MONTH + 2 * DAY)
    assert await emails(town) == [KIM], "it is looked at again as much later"
    await pass_time(2 * MONTH + 2 * DAY)
    assert await emails(town) == []


async def test_nobody_goes_while_an_owner_can_not_say(town: Street) -> None:
    await town.register(KIM)
    async with passing(town, "tokendealer", "bookings") as pass_:
        await pass_(MONTH + DAY)
    assert await emails(town) == [KIM]


async def test_several_processes_at_once_begin_one_deletion(town: Street, pass_time: Pass) -> None:
    await town.register(KIM)
    await asyncio.gather(*(pass_time(MONTH + DAY) for _ in range(4)))
    assert await emails(town) == []
    assert await town.database.collection("deletions").count_documents({}) == 1


async def test_a_running_service_sees_to_it_and_has_everybody_erase(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    more = [activities.SERVICE]
    async with street(database_server, tmp_path, more=more) as town:
        await town.register(KIM, name="Kîm Lou")
        await town.sign_in(KIM)
        await town.secrets_mailed_to(KIM)
        await waits_since(town, datetime.now(UTC) - MONTH - DAY)
        found = await town.database.collection("accounts").find_one({})
        assert found
    needles, databases = [found["_id"], KIM, "Kîm Lou"], [service.database for service in town.services]

    async with street(database_server, tmp_path, more=more, fresh=False, RUNNERLY_DELETION_SWEEP_S="1") as town:

        async def left() -> list[str]:
            return await traces(town.mongo, needles, [*databases, "runnerly_bus"])

        await eventually_is([], left)
        done = town.database.collection("deletions")
        await eventually_is(1, lambda: done.count_documents({"stage": "done"}))
        assert town.mails_to(KIM) == [], "whose address it is never said so"


async def test_accounts_of_an_older_version_wait_from_the_upgrade_on(town: Street, pass_time: Pass) -> None:
    await town.register(KIM)
    await town.active_runner(LOU)
    accounts = town.database.collection("accounts")
    await accounts.update_many({}, {"$unset": {"unconfirmed_since": "", "number": "", "search": ""}})
    await accounts.update_many({}, {"$set": {"created_at": datetime(2020, 1, 1, tzinfo=UTC)}})

    for migration in MIGRATIONS:
        for _ in range(2):
            await migration.apply(town.database)

    assert sorted([found["number"] async for found in accounts.find()]) == [3, 4]
    await pass_time(MONTH - DAY)
    assert await emails(town) == [KIM, LOU]
    await pass_time(MONTH + DAY)
    assert await emails(town) == [LOU]
