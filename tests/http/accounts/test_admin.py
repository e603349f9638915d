"""Administration: accounts are found and changed by administrators alone, and all that they do is written down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.accounts.store.finder import Finder
from services.chassis.secrets import read_secrets
from services.command.audit import examine
from tests.http.accounts.test_password_reset import NEW, choose, link_for
from tests.http.accounts.test_users_command import ADMINS_PASSWORD, create_admin
from tests.support.street import Answered, Street
from tests.support.waiting import eventually_is

ADMIN, KIM, LOU = "ada@runnerly.test", "kim@runnerly.test", "lou@runnerly.test"


class Office:
    """A street with an administrator, Ada, who is signed in."""

    def __init__(self, town: Street, token: str) -> None:
        self.town, self.token = town, token

    async def get(self, path: str, token: str = "") -> Answered:
        return await self.town.ask("GET", f"admin/{path}", token=token or self.token)

    async def patch(self, sub: str, token: str = "", if_match: str = "", **change: Any) -> Answered:
        headers = {"If_Match": if_match} if if_match else {}
        return await self.town.ask("PATCH", f"admin/accounts/{sub}", change, token=token or self.token, **headers)

    async def found(self, q: str = "", limit: int = 100) -> list[str]:
        """The addresses of those who are found."""
        answer = await self.get(f"accounts?limit={limit}&q={q}")
        assert answer.status == 200, answer.body
        return [item["email"] for item in answer.body["items"]]

    async def id_of(self, email: str) -> str:
        return str((await self.get(f"accounts?q={email}")).body["items"][0]["id"])

    async def trail(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.get(f"audit?limit=100&{query}")
        assert answer.status == 200, answer.body
        items: list[dict[str, Any]] = answer.body["items"]
        return items


@pytest.fixture
async def office(town: Street) -> Office:
    assert (await create_admin(town, ADMIN)).exit_code == 0
    signed_in = await town.sign_in(ADMIN, ADMINS_PASSWORD)
    return Office(town, signed_in.body["access_token"])


async def runner(town: Street, email: str = KIM) -> dict[str, Any]:
    """Somebody who has registered, activated and signed in: their tokens."""
    await town.active_runner(email)
    return (await town.sign_in(email)).body


async def refresh(town: Street, tokens: dict[str, Any]) -> Answered:
    return await town.ask("POST", "sessions/refresh", {"refresh_token": tokens["refresh_token"]})


# -- finding


async def test_accounts_are_listed_newest_first_page_by_page(office: Office) -> None:
    for number in range(5):
        await office.town.register(f"runner{number}@runnerly.test")

    pages, query = [], "accounts?limit=2"
    while query:
        page = (await office.get(query)).body
        pages.append([item["email"] for item in page["items"]])
        query = page["next"] and f"accounts?limit=2&cursor={page['next']}"

    assert pages == [
        ["runner4@runnerly.test", "runner3@runnerly.test"],
        ["runner2@runnerly.test", "runner1@runnerly.test"],
        ["runner0@runnerly.test", ADMIN],
    ]
    cursor = (await office.get("accounts?limit=1")).body["next"]
    assert (await office.get(f"accounts?limit=1&q=kim&cursor={cursor}")).status == 422, "it is for its own search"
    assert (await office.get(f"audit?cursor={cursor}")).status == 422


async def test_an_account_is_shown_without_its_owners_body(office: Office) -> None:
    await runner(office.town)

    [shown] = (await office.get(f"accounts?q={KIM}")).body["items"]

    assert set(shown) == {
        "id",
        "email",
        "name",
        "locale",
        "timezone",
        "units",
        "roles",
        "activated",
        "disabled",
        "created_at",
        "last_seen_at",
        "version",
    }
    assert (shown["email"], shown["roles"], shown["activated"], shown["disabled"]) == (KIM, ["runner"], True, False)
    assert shown["last_seen_at"] >= shown["created_at"]


PEOPLE = {
    "Ângela Müller-Straße": "angela@alpha.test",
    "Lou Øresund": "l.oresund@runnerly.test",
    "ΝΊΚΟΣ Παπάς": "Nikos+run@runnerly.test",
    "Łukasz Nowak": "lukasz.nowak.von.und.zu@runnerly.test",
    "張 偉": "wei@runnerly.test",
}
SEARCHES = {
    "ANGELA": ["angela@alpha.test"],
    "ängel": ["angela@alpha.test"],
    "muller": ["angela@alpha.test"],
    "strasse": ["angela@alpha.test"],
    "muller-strasse ang": ["angela@alpha.test"],
    "oresund": ["l.oresund@runnerly.test"],
    "νικος": ["Nikos+run@runnerly.test"],
    "nikos%2Brun@": ["Nikos+run@runnerly.test"],
    "lukasz.nowak.von": ["lukasz.nowak.von.und.zu@runnerly.test"],
    "lukasz.nowak.vonn": [],
    "alpha.te": ["angela@alpha.test"],
    "張": ["wei@runnerly.test"],
    "l": ["lukasz.nowak.von.und.zu@runnerly.test", "l.oresund@runnerly.test"],
    "ngela": [],
    "angela nowak": [],
    ".*": [],
}


async def test_people_are_found_by_what_their_words_begin_with(office: Office) -> None:
    for name, email in PEOPLE.items():
        await office.town.register(email, name=name)

    assert {q: await office.found(q) for q in SEARCHES} == SEARCHES
    wei = await office.id_of("wei@runnerly.test")
    assert await office.found(wei) == await office.found(wei[:6]) == ["wei@runnerly.test"]

    tokens = await runner(office.town)
    await office.town.ask("PATCH", "accounts/me", {"name": "Robin Wren"}, token=tokens["access_token"])
    assert await office.found("wren") == [KIM]
    assert await office.found("kim robin") == [KIM], "the address still begins with it"


async def test_accounts_of_a_version_before_this_are_numbered_in_their_order(office: Office) -> None:
    await office.town.register()
    await office.town.register(LOU)
    await office.town.database.collection("accounts").update_many({}, {"$unset": {"number": 1, "search": 1}})
    assert await office.found() == []

    assert await Finder(office.town.database).fill_in() == 3

    assert await office.found() == [LOU, KIM, ADMIN]
    assert await office.found("kim") == [LOU, KIM], "both have that name"


# -- who may


async def test_nobody_else_administers(office: Office) -> None:
    tokens = await runner(office.town)
    sub = await office.id_of(KIM)

    for token, status in ((tokens["access_token"], 403), ("invented", 401)):
        assert (await office.get("accounts", token)).status == status
        assert (await office.get("audit", token)).status == status
        assert (await office.patch(sub, token, roles=["admin"])).status == status
    assert (await office.get(f"accounts?q={KIM}")).body["items"][0]["roles"] == ["runner"]


async def test_the_role_counts_and_not_the_token(office: Office) -> None:
    """An access token outlives the role by minutes; administration does not."""
    lou = await runner(office.town, LOU)
    sub = await office.id_of(LOU)
    await office.patch(sub, roles=["admin"])
    lou = (await refresh(office.town, lou)).body
    assert (await office.get("accounts", lou["access_token"])).status == 200

    await office.patch(sub, roles=["runner"])

    assert (await office.get("accounts", lou["access_token"])).status == 403
    assert (await office.get("audit", lou["access_token"])).status == 403
    assert (await office.patch(sub, lou["access_token"], roles=["admin"])).status == 403


# -- roles


async def test_a_role_reaches_tokens_at_the_next_refresh_and_leaves_them_so(office: Office) -> None:
    first = await runner(office.town)
    sub = await office.id_of(KIM)

    changed = await office.patch(sub, roles=["hotelier"])
    assert (changed.status, changed.body["roles"]) == (200, ["runner", "hotelier"])
    second = (await refresh(office.town, first)).body
    assert "hotelier" in second["scope"].split()

    await office.patch(sub, roles=["runner"])
    third = (await refresh(office.town, second)).body
    assert "hotelier" not in third["scope"].split()
    assert "account" in third["scope"].split()


async def test_a_change_is_of_the_version_that_was_seen(office: Office) -> None:
    await office.town.register()
    [seen] = (await office.get(f"accounts?q={KIM}")).body["items"]

    first = await office.patch(seen["id"], if_match=f'"{seen["version"]}-json"', roles=["hotelier"])
    second = await office.patch(seen["id"], if_match=f'"{seen["version"]}-json"', disabled=True)
    third = await office.patch(seen["id"], if_match=first.headers["Etag"], disabled=True)

    assert [first.status, second.status, third.status] == [200, 412, 200]
    assert (third.body["roles"], third.body["disabled"]) == (["runner", "hotelier"], True)


async def test_what_can_t_be_is_refused(office: Office) -> None:
    ada = await office.id_of(ADMIN)

    for change in ({"roles": ["owner"]}, {"disabled": "yes"}, {"email": "x@y.test"}, {"roles": None}):
        refused = await office.patch(ada, **change)
        assert (refused.status, len(refused.body["errors"])) == (422, 1)
    assert (await office.patch("nobody", disabled=True)).status == 404
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await office.town.ask(method, "admin/audit", {}, token=office.token)).status == 405


async def test_the_last_administrator_stays(office: Office) -> None:
    await office.town.register()
    ada, kim = await office.id_of(ADMIN), await office.id_of(KIM)

    for change in ({"roles": ["runner"]}, {"disabled": True}, {"roles": [], "disabled": True}):
        refused = await office.patch(ada, **change)
        assert (refused.status, refused.kind) == (409, "last-administrator")
    # somebody who can't sign in as one is none
    await office.patch(kim, roles=["admin"])
    assert (await office.patch(ada, roles=["runner"])).status == 409
    await office.town.activate((await office.town.secrets_mailed_to(KIM))[0])
    assert (await office.patch(ada, roles=["runner"])).status == 200


async def test_two_administrators_can_t_both_go_at_once(office: Office) -> None:
    lou = await runner(office.town, LOU)
    ada_id, lou_id = await office.id_of(ADMIN), await office.id_of(LOU)
    await office.patch(lou_id, roles=["admin"])
    lou = (await refresh(office.town, lou)).body

    answers = await asyncio.gather(
        office.patch(ada_id, roles=["runner"]), office.patch(lou_id, lou["access_token"], roles=["runner"])
    )

    assert sorted(answer.status for answer in answers) == [200, 409]


# -- disabled


async def test_who_is_disabled_is_out_at_once_and_back_when_enabled(office: Office) -> None:
    tokens = await runner(office.town)
    sub = await office.id_of(KIM)

    assert (await office.patch(sub, disabled=True)).body["disabled"] is True

    assert (await refresh(office.town, tokens)).status == 401
    refused = await office.town.sign_in()
    assert (refused.status, refused.kind) == (401, "account-disabled")
    wrong = await office.town.sign_in(password="a wrong password")
    assert wrong.kind == "invalid-credentials", "only who knows the password learns more"

    assert (await office.patch(sub, disabled=False)).body["disabled"] is False
    assert (await refresh(office.town, tokens)).status == 401
    assert (await office.town.sign_in()).status == 201


async def test_a_new_password_lets_nobody_in_who_is_disabled(office: Office) -> None:
    await runner(office.town)
    await office.patch(await office.id_of(KIM), disabled=True)

    assert (await choose(office.town, await link_for(office.town))).status == 204

    assert (await office.town.sign_in(password=NEW)).kind == "account-disabled"


async def test_a_sign_in_that_overlaps_with_the_end_of_it_all_leaves_no_session(office: Office) -> None:
    await runner(office.town)
    sub = await office.id_of(KIM)

    answers = await asyncio.gather(*(office.town.sign_in() for _ in range(8)), office.patch(sub, disabled=True))

    begun = [answer.body for answer in answers if answer.status == 201]
    assert [(await refresh(office.town, tokens)).status for tokens in begun] == [401] * len(begun)
    tokendealer = office.town.mongo.database("runnerly_tokendealer")
    assert await tokendealer.collection("families").count_documents({"sub": sub}) == 0


async def test_the_command_is_the_way_back_for_an_administrator_who_is_shut_out(office: Office) -> None:
    await runner(office.town)
    await office.patch(await office.id_of(KIM), disabled=True)

    assert (await create_admin(office.town, KIM)).exit_code == 0

    async def signed_in() -> bool:
        answer = await office.town.sign_in()
        return answer.status == 201 and "admin" in answer.body["scope"].split()

    await eventually_is(True, signed_in)
    await eventually_is(1, lambda: number_of(office, "account.enabled"))


# -- the trail


async def test_what_administrators_do_is_written_down_and_by_whom(office: Office) -> None:
    await runner(office.town)
    ada, kim = await office.id_of(ADMIN), await office.id_of(KIM)
    await office.patch(kim, roles=["hotelier"])
    await office.patch(kim, disabled=True)
    await office.patch(kim, disabled=True)
    await office.patch(kim, disabled=False)

    enabled, disabled, roles, *looks = await office.trail()

    assert [entry["action"] for entry in (enabled, disabled, roles)] == [
        "account.enabled",
        "account.disabled",
        "account.roles_changed",
    ]
    assert roles["details"] == {"after": "runner hotelier", "before": "runner"}
    assert {(entry["actor"]["kind"], entry["actor"]["id"]) for entry in (enabled, disabled, roles)} == {("person", ada)}
    assert {entry["subject"]["id"] for entry in (enabled, disabled, roles)} == {kim}
    assert looks[0]["action"] == "accounts.listed"
    assert looks[0]["details"] == {"searched": "yes", "shown": "1"}


async def test_the_trail_is_filtered(office: Office) -> None:
    await office.town.register()
    await office.town.register(LOU)
    kim, lou = await office.id_of(KIM), await office.id_of(LOU)
    for sub in (kim, lou, kim):
        await office.patch(sub, disabled=True)
        await office.patch(sub, disabled=False)

    of_kim = await office.trail(f"subject={kim}")
    assert len(of_kim) == 4
    assert len(await office.trail(f"subject={kim}&action=account.disabled")) == 2
    assert len(await office.trail(f"subject={of_kim[0]['subject']['key']}")) == 4
    assert {entry["actor"]["kind"] for entry in await office.trail("action=account.enabled")} == {"person"}
    assert await office.trail(f"actor={kim}") == []
    middle = of_kim[1]["at"]
    assert [entry["id"] for entry in of_kim if entry["at"] >= middle] == [
        entry["id"] for entry in await office.trail(f"subject={kim}&from={middle}")
    ]
    assert [entry["id"] for entry in of_kim if entry["at"] < middle] == [
        entry["id"] for entry in await office.trail(f"subject={kim}&to={middle}")
    ]
    assert (await office.get("audit?from=yesterday")).status == 422
    page = (await office.get(f"audit?subject={kim}&limit=3")).body
    rest = (await office.get(f"audit?subject={kim}&limit=3&cursor={page['next']}")).body
    assert [entry["id"] for entry in (*page["items"], *rest["items"])] == [entry["id"] for entry in of_kim]
    assert rest["next"] is None


async def test_the_trail_knows_people_by_a_hash_and_by_no_id_once_they_are_gone(office: Office) -> None:
    await office.town.register()
    kim = await office.id_of(KIM)
    await office.patch(kim, disabled=True)

    await office.town.database.collection("accounts").delete_one({"_id": kim})

    [entry] = await office.trail(f"subject={kim}")
    assert (entry["subject"]["id"], len(entry["subject"]["key"])) == (None, 64)
    kept = [document async for document in office.town.database.collection("audit").find()]
    assert kim not in str(kept)
    assert KIM not in str(kept)


async def test_the_trail_is_whole_until_somebody_touches_it(office: Office) -> None:
    await eventually_is(1, lambda: number_of(office, "account.created"))  # it comes through the bus
    await asyncio.gather(*(office.found() for _ in range(6)))
    database, box = office.town.database, read_secrets(office.town.settings)
    entries = database.collection("audit")

    written, faults = await examine(database, box)
    assert (written > 3, faults) == (True, [])
    numbers = [document["number"] async for document in entries.find().sort("number", 1)]
    assert numbers == list(range(1, written + 1)), "in a row, whoever wrote at once"

    second = await entries.find_one({"number": 2})
    assert second
    await entries.update_one({"number": 2}, {"$set": {"action": "nothing.happened"}})
    assert (await examine(database, box))[1] == ["Entry 2 is not what was written"]
    await entries.delete_one({"number": 2})
    assert (await examine(database, box))[1] == ["After entry 1 comes 3"]
    await entries.insert_one(second)
    await entries.delete_one({"number": written})
    assert (await examine(database, box))[1] == [f"The last entry is {written - 1}, and {written} were written"]
    await entries.delete_many({})
    assert (await examine(database, box))[1] == [f"No entry is left, and {written} were written"]


async def test_a_command_is_written_down_too(office: Office) -> None:
    await eventually_is(1, lambda: number_of(office, "account.created"))

    [created] = await office.trail("action=account.created")
    assert (created["actor"], created["details"]) == (
        {"kind": "operator", "id": None, "key": ""},
        {"roles": "runner admin"},
    )
    assert created["subject"]["id"] == await office.id_of(ADMIN)


async def number_of(office: Office, action: str) -> int:
    return len(await office.trail(f"action={action}"))


async def test_what_administrators_do_with_other_peoples_apps_is_written_down(office: Office) -> None:
    kim, lou = await runner(office.town), await runner(office.town, LOU)
    app = {"name": "Splits", "redirect_uris": ["https://app.test/back"], "scopes": ["activities:read"]}
    made = (await office.town.ask("POST", "clients", app, token=kim["access_token"])).body["id"]
    own = (await office.town.ask("POST", "clients", app, token=office.token)).body["id"]

    async def ask(method: str, path: str, body: object = None, token: str = office.token) -> int:
        return (await office.town.ask(method, path, body, token=token)).status

    assert await ask("GET", f"clients/{own}") == 200
    assert await ask("GET", f"clients/{made}", token=kim["access_token"]) == 200
    assert await ask("GET", f"clients/{made}", token=lou["access_token"]) == 404
    assert await ask("GET", "clients") == 200
    assert await ask("GET", f"clients/{made}") == 200
    assert await ask("PATCH", f"clients/{made}", {"name": "Splits, blocked", "scopes": ["reports:read"]}) == 200
    assert await ask("POST", f"clients/{made}/secrets", {}) == 201
    assert await ask("DELETE", f"clients/{made}") == 204

    async def told() -> list[dict[str, Any]]:
        return [entry for entry in await office.trail() if entry["service"] == "tokendealer"]

    async def number() -> int:
        return len(await told())

    await eventually_is(5, number)  # they come through the bus, where one may overtake another
    entries = sorted(await told(), key=lambda entry: str(entry["at"]), reverse=True)
    assert [entry["action"] for entry in entries] == [
        "client.removed",
        "client.secret_added",
        "client.changed",
        "client.read",
        "clients.listed",
    ]
    ada = await office.id_of(ADMIN)
    assert {entry["actor"]["id"] for entry in entries} == {ada}
    assert [entry["subject"] and entry["subject"]["id"] for entry in entries] == [*(4 * [made]), None]
    assert entries[2]["details"].keys() == {"what", "owner"}
    assert entries[2]["details"]["what"] == "name, scopes"
    assert len(await office.trail(f"subject={made}")) == 4
