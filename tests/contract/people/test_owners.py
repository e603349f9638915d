"""What every owner of personal data must keep, held against each: it gives all it declares, and nothing of it stays.

A service that declares an owner is under test by that alone; `filled` must give it something of each kind that it holds.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from services.activities import app as activities
from services.chassis.http_answers import PeerRefused
from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from services.chassis.people import Erased
from services.chassis.service import Service
from services.command.keys import bootstrap
from services.command.street import street as whole_street
from services.tokendealer.domain.authorizations import Code
from services.tokendealer.store.authorizations import CodeStore, ConsentStore
from tests.support.database import DatabaseServer
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.recordings import START, a_run, gpx
from tests.support.strava import strava_run
from tests.support.street import PASSWORD, Street, street
from tests.support.traces import traces
from tests.support.waiting import eventually_is

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWNERS = {service.name: service for service in whole_street() if service.people}
NAME = "Mîra von Tausend"
APP = {"name": "Splits on a map", "redirect_uris": ["https://app.example/back"], "scopes": ["activities:read"]}


@dataclass
class Town:
    """Every owner, in one process, and how each is asked in the name of another."""

    street: Street
    http: HttpClient
    people: int = 0

    def peer(self, service: str, caller: str = "accounts") -> Peer:
        """A service as another calls it."""
        settings = self.street.settings
        return Peer.of(service, settings, self.http, Identity.of(caller, settings, self.http))

    async def takeout(self, service: str, sub: str) -> dict[str, bytes]:
        """What a service gives of somebody."""
        async with self.peer(service).stream(f"/internal/v1/people/{sub}") as answer:
            archive = b"".join([chunk async for chunk in answer.chunks()])
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]

    async def erase(self, service: str, sub: str) -> Erased:
        """Have a service erase somebody."""
        return await self.peer(service).delete(f"/internal/v1/people/{sub}", type=Erased)

    async def send(self, path: str, content: bytes, token: str) -> Any:
        """Send a file."""
        url = f"http://127.0.0.1:{self.street.settings.port}/api/v1/{path}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
        async with self.street.http.post(url, data=content, headers=headers) as answer:
            assert answer.status in {201, 202}, await answer.text()
            return await answer.json()


@dataclass(frozen=True)
class Person:
    """Somebody of whom every service holds something of each kind."""

    sub: str
    email: str
    token: str

    @property
    def needles(self) -> list[str | bytes]:
        """What would tell of them."""
        return [self.sub, self.email, NAME]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One for all tests here: they have people of their own."""
    home, logs = tmp_path_factory.mktemp("town"), RecordedLogs()
    async with street(database_server, home, more=[activities.SERVICE]) as running:
        assert {service.name for service in running.services} == set(OWNERS)
        await bootstrap(running.settings, running.mongo, [*OWNERS, "strava"])  # which is to come
        http = HttpClient("tests", RecordedMetrics(), logs.logger())
        yield Town(running, http)
        await http.close()
    logs.close()


@pytest.fixture(params=sorted(OWNERS))
def owner(request: pytest.FixtureRequest) -> Service:
    """Each owner in turn."""
    return OWNERS[request.param]


async def filled(town: Town) -> Person:
    """Somebody new, with everything."""
    town.people += 1
    running, email = town.street, f"mira{town.people}@runnerly.test"
    token = await running.active_runner(email)
    sub = (await running.ask("GET", "accounts/me", token=token)).body["id"]
    await running.ask("PATCH", "accounts/me", {"name": NAME}, token=token)
    await town.send("activities?filename=run.gpx", gpx(a_run(600, every=10)), token)
    by_hand = {
        "sport": "hiking",
        "started_at": "2026-02-01T08:00:00Z",
        "timezone": "UTC",
        "distance_m": 9e3,
        "elapsed_s": 9e3,
    }
    await running.ask("POST", "activities/manual", by_hand, token=token, Idempotency_Key="once")
    strava = town.peer("activities", "strava")
    for number, latitude in (("1", 10.0), ("2", 20.0)):
        told = strava_run(a_run(600, every=10, lat=latitude, start=START + timedelta(days=int(number))))
        await strava.put(f"/internal/v1/people/{sub}/strava-runs/{number}", json=told)
    newest = (await running.ask("GET", "activities?limit=1", token=token)).body["items"][0]
    assert (await running.ask("DELETE", f"activities/{newest['id']}", token=token)).status == 204
    await running.ask("POST", "gear", {"kind": "shoes", "name": NAME}, token=token)
    home = {"name": NAME, "lat": 48.85, "lon": 2.35, "radius_m": 200}
    assert (await running.ask("POST", "privacy-zones", home, token=token)).status == 201
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("old.gpx", gpx(a_run(900, every=10, lat=40.0)))
    begun = await town.send("imports?filename=old.zip", packed.getvalue(), token)

    async def imported() -> object:
        return (await running.ask("GET", f"imports/{begun['id']}", token=token)).body["state"]

    await eventually_is("done", imported)
    factor = await running.ask("POST", "accounts/me/second-factor", {"password": PASSWORD}, token=token)
    code = pyotp.parse_uri(factor.body["otpauth_uri"]).now()  # type: ignore[no-untyped-call]
    confirmed = await running.ask("POST", "accounts/me/second-factor/confirm", {"otp": code}, token=token)
    assert confirmed.status == 200, confirmed.body
    app = await running.ask("POST", "clients", APP, token=token)
    assert app.status == 201, app.body
    await let_in(running, sub, app.body["id"])
    return Person(sub, email, token)


async def let_in(running: Street, sub: str, app: str) -> None:
    """The person has let an app in, which has not come for its tokens yet."""
    database, now = running.mongo.database("runnerly_tokendealer"), datetime.now(UTC)
    await ConsentStore(database).give(sub, app, ["activities:read"], now)
    later = now + timedelta(minutes=1)
    scopes = ("activities:read",)
    code = Code(f"code-of-{app}", app, sub, APP["redirect_uris"][0], "challenge", scopes, now, later, later)
    await CodeStore(database).add(code)


async def test_it_gives_something_of_each_kind_that_it_declares_and_nothing_else(town: Town, owner: Service) -> None:
    assert owner.people
    person = await filled(town)
    given = await town.takeout(owner.name, person.sub)
    schema = json.loads(given.pop(f"schemas/{owner.name}.schema.json"))
    for holding in owner.people.holdings:
        assert any(re.search(holding.pattern, path) for path in given), f"nothing of {holding.path}"
    for path in given:
        assert any(re.search(holding.pattern, path) for holding in owner.people.holdings), f"{path} is not declared"
    documents = {path: json.loads(content) for path, content in given.items() if path.endswith(".json")}
    Draft202012Validator(schema).validate(documents)
    assert [path for path in given if path.startswith("/") or ".." in path] == []


async def test_it_gives_nothing_that_lets_anybody_in(town: Town, owner: Service) -> None:
    person = await filled(town)
    given = b"\n".join((await town.takeout(owner.name, person.sub)).values())
    for secret in (person.token.encode(), b"$argon2id$", b"challenge", b"code-of-"):
        assert secret not in given, secret


async def test_it_gives_nobody_anything_of_others(town: Town, owner: Service) -> None:
    one, other = await filled(town), await filled(town)
    given = await town.takeout(owner.name, one.sub)
    assert [
        path for path, content in given.items() if other.sub.encode() in content or other.email.encode() in content
    ] == []
    assert list(await town.takeout(owner.name, "nobody")) == [f"schemas/{owner.name}.schema.json"]


async def test_nothing_stays_but_a_tombstone_and_others_keep_what_is_theirs(town: Town, owner: Service) -> None:
    leaving, staying = await filled(town), await filled(town)
    kept = await town.takeout(owner.name, staying.sub)
    assert await traces(town.street.mongo, leaving.needles, [owner.database]) != []

    for _ in range(2):  # it is asked again whenever its answer is lost
        assert await town.erase(owner.name, leaving.sub) == Erased()

    assert await traces(town.street.mongo, [leaving.sub, leaving.email], [owner.database]) == []
    assert list(await town.takeout(owner.name, leaving.sub)) == [f"schemas/{owner.name}.schema.json"]
    assert (await town.takeout(owner.name, staying.sub)).keys() >= kept.keys()
    stones = town.street.mongo.database(owner.database).collection("tombstones")
    before = await stones.count_documents({})
    await town.erase(owner.name, leaving.sub)
    assert await stones.count_documents({}) == before


async def test_only_accounts_is_let_in(town: Town, owner: Service) -> None:
    caller = "mailer" if owner.name != "mailer" else "activities"
    stranger = town.peer(owner.name, caller)
    for ask in (stranger.get, stranger.delete):
        with pytest.raises(PeerRefused) as refused:
            await ask("/internal/v1/people/anybody")
        assert refused.value.status == 403
