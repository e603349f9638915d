"""Who may call what: every operation, tried by everybody, against the table in `docs/authorisation.md`."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
import pytest_asyncio

from services.accounts.domain.accounts import ROLE_SCOPES, RUNNER_SCOPES, Role
from services.chassis.http_client import HttpClient
from services.chassis.mongo import Mongo
from services.chassis.settings import ProcessSettings
from services.command.street import NAMES, street
from tests.http.authorisation.cast import PEOPLES_SCOPES, Answer, Cast
from tests.http.authorisation.operations import Operation, internal, public
from tests.http.authorisation.table import INTERNAL, NOT_ASKED, PEOPLE, PUBLIC, YES, rows
from tests.http.authorisation.things import CHANGES, Things
from tests.support.database import DatabaseServer
from tests.support.process import process
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.street import furnish

AT_ONCE = 16
TO_COME = ("strava",)  # services that others expect already
on_one_street = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cast(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cast]:
    """Every service there is, in one process, and those who try them."""
    home = tmp_path_factory.mktemp("street")
    async with AsyncExitStack() as stack:
        mongo, logs = Mongo(database_server.uri), RecordedLogs()
        stack.callback(mongo.close)
        stack.callback(logs.close)
        for name in [*(service.database for service in street()), "runnerly_bus"]:
            await mongo.drop(name)
        await furnish(ProcessSettings(home=home), mongo, [*NAMES, *TO_COME])
        http = HttpClient("tests", RecordedMetrics(), logs.logger())
        stack.push_async_callback(http.close)
        settings = await stack.enter_async_context(process(street(), database_server.uri, home))
        jar = aiohttp.DummyCookieJar()
        client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        yield Cast(settings, client, http, mongo, itertools.count(1))


def named(operation: Operation) -> str:
    """As the table names it."""
    return f"{operation.service}.{operation.id}"


# -- the table and the operations are the same


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    """Who adds a call says here who may make it."""
    assert sorted(rows(PUBLIC)) == sorted(map(named, public()))
    assert sorted(rows(INTERNAL)) == sorted(map(named, internal()))


def test_the_table_says_what_the_documents_say_that_a_call_needs() -> None:
    table = rows(PUBLIC)
    assert {name: row["needs"] for name, row in table.items()} == {named(one): one.needs for one in public()}
    assert {one.needs for one in internal()} == {"service"}


def test_the_table_knows_only_these_words() -> None:
    """A word that nothing is compared with would let everything pass."""
    words = {row[who] for row in rows(PUBLIC).values() for who in PEOPLE}
    assert words == {YES, "401", "403", "404", NOT_ASKED}
    callers = {name for row in rows(INTERNAL).values() for name in row["services"].split(", ")}
    assert callers <= {*NAMES, *TO_COME, "every"}


def test_whose_thing_it_is_is_asked_of_each_call_with_an_id_in_its_path() -> None:
    table = rows(PUBLIC)
    asked = {name for name, row in table.items() if row["another"] != NOT_ASKED}
    assert asked == {named(one) for one in public() if one.parameters}


# -- and the services do what it says


async def all_at_once(tries: list[tuple[str, str, object]], failures: list[str]) -> None:
    """Make these tries, and note those that end otherwise than expected."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(what: str, expected: str, asking: object) -> None:
        async with gate:
            answer: Answer = await asking  # type: ignore[misc]
        if answer.verdict != expected:
            failures.append(f"{what}: {answer.status}, not {expected}: {answer.body[:120]!r}")

    await asyncio.gather(*(one(*each) for each in tries))


@on_one_street
async def test_people_may_call_what_the_table_says_and_nothing_else(cast: Cast) -> None:
    owner, other, hotelier, admin = [await cast.person(*roles) for roles in ((), (), (Role.HOTELIER,), (Role.ADMIN,))]
    tokens = {
        "nobody": "",
        "runner": await cast.token(owner),
        "another": await cast.token(other),
        "hotelier": await cast.token(hotelier, *RUNNER_SCOPES, *ROLE_SCOPES[Role.HOTELIER]),
        "admin": await cast.token(admin, *RUNNER_SCOPES, *ROLE_SCOPES[Role.ADMIN]),
        "app": await cast.app_token(owner),
    }
    things, table, failures = Things(cast, owner, tokens["runner"]), rows(PUBLIC), list[str]()
    for operation in public():
        row, name = table[named(operation)], named(operation)
        if not operation.parameters:
            await all_at_once(
                [
                    (f"{name} as {who}", row[who], cast.ask(operation, tokens[who]))
                    for who in PEOPLE
                    if row[who] != NOT_ASKED
                ],
                failures,
            )
            continue
        [parameter] = operation.parameters
        body = CHANGES[name] if operation.media_types else None
        changes = operation.method != "GET"
        mine = {parameter: await things.make(parameter, to_be_changed=changes)}
        before = await things.see(parameter, mine[parameter])
        assert before.status == 200, before
        refused = [who for who in PEOPLE if row[who] not in {YES, NOT_ASKED}]
        await all_at_once(
            [(f"{name} as {who}", row[who], cast.ask(operation, tokens[who], mine, body)) for who in refused], failures
        )
        if await things.see(parameter, mine[parameter]) != before:
            failures.append(f"{name}: somebody who was refused has changed it")
        failures += await told_apart(cast, operation, tokens["another"], mine, body)
        for who in PEOPLE:
            if row[who] == YES:
                mine = {parameter: await things.make(parameter, to_be_changed=changes)}
                await all_at_once([(f"{name} as {who}", YES, cast.ask(operation, tokens[who], mine, body))], failures)
    assert not failures, "\n".join(failures)


async def told_apart(cast: Cast, operation: Operation, token: str, theirs: dict[str, str], body: object) -> list[str]:
    """Whether somebody else can tell what is not theirs from what is not there: by a single byte, ids could be tried out."""
    nothing = {name: secrets.token_urlsafe(len(id_)) for name, id_ in theirs.items()}
    answers = [await cast.ask(operation, token, things, body) for things in (theirs, nothing)]
    if answers[0].verdict == YES:
        return []
    told = [{**answer.json, "instance": ""} for answer in answers]
    return [] if told[0] == told[1] else [f"{named(operation)}: another's is told from what is not there: {told}"]


@on_one_street
async def test_a_call_takes_its_scope_and_no_other_will_do(cast: Cast) -> None:
    """Also of the owner: with every scope but the one, and with each of the others alone."""
    owner = await cast.person(Role.HOTELIER, Role.ADMIN)
    single = {scope: await cast.token(owner, scope) for scope in PEOPLES_SCOPES}
    all_but = {
        scope: await cast.token(owner, *(other for other in PEOPLES_SCOPES if other != scope))
        for scope in PEOPLES_SCOPES
    }
    failures: list[str] = []
    guarded = [operation for operation in public() if operation.scope]
    for operation in guarded:
        wrong = {f"only {scope}": token for scope, token in single.items() if scope != operation.scope}
        wrong |= {f"all but {operation.scope}": all_but[operation.scope or ""]}
        await all_at_once(
            [(f"{named(operation)} with {what}", "403", cast.ask(operation, token)) for what, token in wrong.items()],
            failures,
        )
    assert len(guarded) > 30
    assert not failures, "\n".join(failures)


@on_one_street
async def test_what_is_no_token_for_the_public_api_opens_nothing_there(cast: Cast) -> None:
    owner = await cast.person(Role.HOTELIER, Role.ADMIN)
    good = await cast.token(owner, *PEOPLES_SCOPES)
    head, claims, seal = good.split(".")
    bad = {
        "an expired one": await cast.expired_token(owner),
        "one of another's making": f"{head}.{claims}.{seal[::-1]}",
        "no token": "made-up",
        **{f"that of a service for {name}": await cast.service_token("accounts", name) for name in NAMES},
    }
    failures: list[str] = []
    for operation in public():
        if operation.scope:
            await all_at_once(
                [(f"{named(operation)} with {what}", "401", cast.ask(operation, token)) for what, token in bad.items()],
                failures,
            )
    assert not failures, "\n".join(failures)


@on_one_street
async def test_services_may_call_what_the_table_says_and_people_nothing(cast: Cast) -> None:
    owner = await cast.person(Role.HOTELIER, Role.ADMIN)
    people = {
        "nobody": "",
        "an administrator": await cast.token(owner, *PEOPLES_SCOPES),
        "an app": await cast.app_token(owner),
        "an expired token": await cast.expired_token(owner),
    }
    callers = [*NAMES, *TO_COME]
    of = {(name, other): await cast.service_token(name, other) for name in callers for other in NAMES}
    table, failures = rows(INTERNAL), list[str]()
    for operation in internal():
        name, callee, body = named(operation), operation.service, CHANGES.get(named(operation))
        allowed = table[name]["services"].split(", ")
        tries = [(f"{name} as {who}", "401", cast.ask(operation, token)) for who, token in people.items()]
        elsewhere = next(other for other in NAMES if other != callee)
        tries.append((f"{name} with a token for {elsewhere}", "401", cast.ask(operation, of["accounts", elsewhere])))
        tries += [
            (f"{name} as {caller}", "403", cast.ask(operation, of[caller, callee], body=body))
            for caller in callers
            if caller not in allowed and "every" not in allowed
        ]
        await all_at_once([*tries], failures)
        for caller in NAMES if "every" in allowed else allowed:
            answer = await cast.ask(operation, of[caller, callee], body=body)
            if answer.verdict not in {YES, "404"}:  # it was looked for
                failures.append(f"{name} as {caller}: {answer.status}: {answer.body[:120]!r}")
    assert not failures, "\n".join(failures)
