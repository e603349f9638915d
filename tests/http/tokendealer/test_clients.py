"""Apps that people register: their own ones only, what they may be, and how their secrets change."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.support.database import DatabaseServer
from tests.support.tokendealer import Dealer, tokendealer

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = "/api/v1/clients"
APP = {"name": "Splits on a map", "redirect_uris": ["https://app.example/back"], "scopes": ["activities:read"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dealer(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dealer]:
    """One for all tests of this module: they sign in different people."""
    async with tokendealer(database_server, tmp_path_factory.mktemp("home")) as dealer:
        yield dealer


class Somebody:
    """A person with a token, who looks after apps."""

    def __init__(self, dealer: Dealer, token: str) -> None:
        self._dealer = dealer
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str = "", body: object = None, **headers: str) -> tuple[int, Any]:
        """Call; the status and what came back."""
        status, answer, _ = await self.ask_all(method, path, body, **headers)
        return status, answer

    async def ask_all(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any, Any]:
        """Call; the status, what came back, and the headers."""
        url = self._dealer.settings.url + CLIENTS + path
        sent = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self._dealer.client.request(method, url, json=body, headers=sent) as answer:
            return answer.status, await answer.json(content_type=None) if await answer.read() else None, answer.headers

    async def add(self, **changes: Any) -> dict[str, Any]:
        """Register an app."""
        status, app = await self.ask("POST", "", APP | changes)
        assert status == 201, app
        return dict(app)


async def somebody(dealer: Dealer, sub: str, *scopes: str) -> Somebody:
    """Sign this person in."""
    return Somebody(dealer, (await dealer.sign_in(sub, "runnerly", *(scopes or ("account",)))).access_token)


async def proves(dealer: Dealer, client_id: str, secret: str) -> bool:
    """Whether this secret proves to be this client."""
    form = {"client_id": client_id, "client_secret": secret, "token": "x"}
    status, _ = await dealer.post("/oauth/introspect", form)
    return status == 200


async def test_an_app_is_registered_and_its_secret_shown_once(dealer: Dealer) -> None:
    kim = await somebody(dealer, "kim")
    status, app, headers = await kim.ask_all("POST", "", APP)
    assert (status, headers["Location"], headers["Cache-Control"]) == (201, f"{CLIENTS}/{app['id']}", "no-store")
    assert await proves(dealer, app["id"], app["secret"])
    _, read, headers = await kim.ask_all("GET", f"/{app['id']}")
    assert read == {name: value for name, value in app.items() if name != "secret"}
    assert headers["ETag"] == '"1-json"'
    kept = await dealer.clients.find(app["id"])
    assert kept is not None
    assert app["secret"] not in repr(kept)
    assert (app["grant_types"], app["owner"]) == (["authorization_code", "refresh_token"], "kim")


async def test_a_public_app_has_no_secret_and_gets_none(dealer: Dealer) -> None:
    kim = await somebody(dealer, "kim")
    app = await kim.add(public=True, redirect_uris=["http://127.0.0.1/back"])
    assert (app["secret"], app["secrets"]) == (None, [])
    assert (await kim.ask("POST", f"/{app['id']}/secrets"))[0] == 409
    assert not await proves(dealer, app["id"], "")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "Runn\u202eylre"}),
        ("name", {"name": "x" * 101}),
        ("name", {"name": "  RUNN-ERLY."}),
        ("name", {"name": "\uff32unnerly"}),
        ("scopes", {"scopes": ["account"]}),
        ("scopes", {"scopes": ["hotelier"]}),
        ("scopes", {"scopes": ["admin"]}),
        ("scopes", {"scopes": ["service"]}),
        ("scopes", {"scopes": ["activities:read", "everything"]}),
        ("scopes", {"scopes": []}),
        ("redirect_uris", {"redirect_uris": []}),
        ("redirect_uris.1", {"redirect_uris": ["https://a.example/", "http://a.example/"]}),
        ("redirect_uris.0", {"redirect_uris": ["https://*.example/"]}),
        ("redirect_uris.0", {"redirect_uris": ["https://a.example/#x"]}),
        ("redirect_uris.0", {"redirect_uris": ["com.example.app:/back"]}),
        ("owner", {"owner": "pat"}),
        ("grants", {"grants": ["client_credentials"]}),
    ],
)
async def test_an_app_can_not_be_just_anything(dealer: Dealer, field: str, changes: dict[str, Any]) -> None:
    kim = await somebody(dealer, "kim")
    app = await kim.add()
    for method, path in (("POST", ""), ("PATCH", f"/{app['id']}")):
        status, problem = await kim.ask(method, path, (APP if method == "POST" else {}) | changes)
        assert status == 422
        assert problem["errors"][0]["field"].startswith(field)


async def test_nobody_finds_the_apps_of_others_but_an_administrator(dealer: Dealer) -> None:
    pat, kim = await somebody(dealer, "pat"), await somebody(dealer, "kim")
    admin = await somebody(dealer, "root", "account", "admin")
    app = await pat.add()
    path = f"/{app['id']}"
    calls: list[tuple[str, str, object]] = [
        ("GET", path, None),
        ("PATCH", path, {"name": "Mine"}),
        ("POST", f"{path}/secrets", {}),
        ("DELETE", path, None),
    ]
    for method, called, body in calls:
        assert (await kim.ask(method, called, body))[0] == 404
    assert app["id"] not in {one["id"] for one in (await kim.ask("GET", "?limit=100"))[1]["items"]}
    assert (await admin.ask("GET", path))[0] == 200
    assert app["id"] in {one["id"] for one in (await admin.ask("GET", "?limit=100"))[1]["items"]}
    assert (await admin.ask("GET", "/accounts"))[0] == 404, "our own services are no apps"


async def test_an_app_does_not_register_apps_whatever_it_was_allowed(dealer: Dealer) -> None:
    app = await (await somebody(dealer, "kim")).add()
    within = Somebody(dealer, (await dealer.sign_in("kim", app["id"], "account")).access_token)
    for method, path, body in (("GET", "", None), ("POST", "", APP), ("DELETE", f"/{app['id']}", None)):
        assert (await within.ask(method, path, body))[0] == 403
    assert (await (await somebody(dealer, "kim", "activities:read")).ask("GET"))[0] == 403


async def test_all_of_them_are_listed_in_pages(dealer: Dealer) -> None:
    lou = await somebody(dealer, "lou")
    ids = sorted([(await lou.add(name=f"App {number}"))["id"] for number in range(5)])
    seen, path = [], "?limit=2"
    while True:
        page = (await lou.ask("GET", path))[1]
        seen += [app["id"] for app in page["items"]]
        if page["next"] is None:
            break
        path = f"?limit=2&cursor={quote(page['next'])}"
    assert seen == ids


async def test_a_change_counts_for_the_version_that_was_seen(dealer: Dealer) -> None:
    kim = await somebody(dealer, "kim")
    path = f"/{(await kim.add())['id']}"
    status, app, headers = await kim.ask_all("PATCH", path, {"name": "New"}, If_Match='"1-json"')
    assert (status, app["name"], headers["ETag"]) == (200, "New", '"2-json"')
    assert (await kim.ask("PATCH", path, {"name": "Newer"}, If_Match='"1-json"'))[0] == 412
    assert (await kim.ask("DELETE", path, If_Match='"1-json"'))[0] == 412
    assert (await kim.ask("DELETE", path, If_Match='"2-json"'))[0] == 204
    assert (await kim.ask("GET", path))[0] == 404


async def test_secrets_change_with_an_overlap(dealer: Dealer) -> None:
    kim = await somebody(dealer, "kim")
    app = await kim.add()
    path = f"/{app['id']}/secrets"
    status, second = await kim.ask("POST", path)
    assert status == 201
    assert [secret["expires_at"] is None for secret in second["secrets"]] == [True, False]
    assert await proves(dealer, app["id"], app["secret"])
    assert await proves(dealer, app["id"], second["secret"])
    _, third = await kim.ask("POST", path, {"overlap_s": 0})
    assert len(third["secrets"]) == 1
    assert [await proves(dealer, app["id"], one["secret"]) for one in (app, second, third)] == [False, False, True]
    assert (await kim.ask("POST", path, {"overlap_s": -1}))[0] == 422


async def test_secrets_added_at_once_are_all_good(dealer: Dealer) -> None:
    kim = await somebody(dealer, "kim")
    app = await kim.add()
    answers = await asyncio.gather(*(kim.ask("POST", f"/{app['id']}/secrets") for _ in range(3)))
    given = [answer["secret"] for status, answer in answers if status == 201]
    assert given
    assert all([await proves(dealer, app["id"], secret) for secret in given])


async def test_what_an_app_may_no_longer_do_its_tokens_may_not_from_the_next_refresh(dealer: Dealer) -> None:
    kim = await somebody(dealer, "kim")
    app = await kim.add(scopes=["activities:read", "reports:read"])
    tokens = await dealer.sign_in("lee", app["id"], "activities:read", "reports:read")
    assert (await kim.ask("PATCH", f"/{app['id']}", {"scopes": ["reports:read"]}))[0] == 200
    form = {"client_id": app["id"], "client_secret": app["secret"], "grant_type": "refresh_token"}
    _, refreshed = await dealer.post("/oauth/token", {**form, "refresh_token": tokens.refresh_token})
    assert refreshed["scope"] == "reports:read"


async def test_nobody_has_more_than_fifty(dealer: Dealer) -> None:
    many = await somebody(dealer, "many")
    for _ in range(50):
        await many.add()
    assert (await many.ask("POST", "", APP))[0] == 409


async def test_takeout_tells_of_apps_and_deletion_removes_them_with_all_they_were_given(dealer: Dealer) -> None:
    gone = await somebody(dealer, "gone")
    app = await gone.add()
    await dealer.sign_in("lee-too", app["id"], "activities:read")
    async with dealer.accounts.stream("/internal/v1/people/gone") as answer:
        content = b"".join([chunk async for chunk in answer.chunks()])
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        assert f"apps/{app['id']}.json" in archive.getnames()
    assert app["secret"].encode() not in content
    await dealer.accounts.delete("/internal/v1/people/gone")
    assert await dealer.clients.find(app["id"]) is None
    assert await dealer.families_of("lee-too") == []
