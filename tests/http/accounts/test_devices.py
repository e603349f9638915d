"""Where one is signed in: what it is called, when it was seen, how it ends, and a mail where it is new."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from services.chassis.http_client import HttpClient
from services.chassis.identity import Identity, Peer
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.street import PASSWORD, Answered, Street
from tests.support.waiting import eventually

KIM = "kim@runnerly.test"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
FIREFOX_NEXT = FIREFOX.replace("145", "146")
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
SUBJECT = "Somebody signed in from a new device"


async def sign_in(town: Street, user_agent: str, **more: str) -> Answered:
    body = {"email": KIM, "password": PASSWORD, **more}
    answer = await town.ask("POST", "sessions", body, User_Agent=user_agent)
    assert answer.status == 201, answer.body
    return answer


def told(town: Street) -> list[EmailMessage]:
    return [mail for mail in town.mails_to(KIM) if mail["Subject"] == SUBJECT]


async def test_a_sign_in_has_a_readable_name_and_the_one_that_asks_is_seen_now(town: Street) -> None:
    await town.active_runner()
    token = (await sign_in(town, FIREFOX)).body["access_token"]
    phone = (await sign_in(town, IPHONE)).body
    long_ago = datetime.now(UTC) - timedelta(days=3)
    families = town.mongo.database("runnerly_tokendealer").collection("families")
    await families.update_many({}, {"$set": {"rotated_at": long_ago}})
    before = datetime.now(UTC)

    listed = (await town.ask("GET", "sessions", token=token)).body["items"]

    assert [(each["device"], each["user_agent"]) for each in listed[:2]] == [
        ("Mobile Safari · iOS", IPHONE),
        ("Firefox · Linux", FIREFOX),
    ]
    assert [each["current"] for each in listed] == [False, True, False]
    seen = [datetime.fromisoformat(each["last_seen_at"]) for each in listed]
    assert abs(seen[0] - long_ago) < timedelta(seconds=1)
    assert seen[1] >= before
    await town.ask("POST", "sessions/refresh", {"refresh_token": phone["refresh_token"]})
    renewed = (await town.ask("GET", "sessions", token=token)).body["items"][0]
    assert datetime.fromisoformat(renewed["last_seen_at"]) > before - timedelta(seconds=1)


async def test_signing_out_everywhere_else_leaves_this_one_and_what_apps_go_on_with(town: Street) -> None:
    await town.active_runner()
    others = [await sign_in(town, FIREFOX), await sign_in(town, IPHONE, mode="cookie")]
    here = (await sign_in(town, FIREFOX)).body
    sub = (await town.ask("GET", "accounts/me", token=here["access_token"])).body["id"]
    app = await app_of(town, sub)
    assert len((await town.ask("GET", "sessions", token=here["access_token"])).body["items"]) == 4, "no app among them"

    assert (await town.ask("DELETE", "sessions/others", token=here["access_token"])).status == 204

    [left] = (await town.ask("GET", "sessions", token=here["access_token"])).body["items"]
    assert left["current"] is True
    program, browser = others
    refused = await town.ask("POST", "sessions/refresh", {"refresh_token": program.body["refresh_token"]})
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    refused_too = await town.ask("POST", "sessions/refresh", Cookie=cookies, Sec_Fetch_Site="same-origin")
    assert (refused.status, refused_too.status) == (401, 401)
    assert (await town.ask("POST", "sessions/refresh", {"refresh_token": here["refresh_token"]})).status == 200
    families = town.mongo.database("runnerly_tokendealer").collection("families")
    assert await families.count_documents({"_id": app}) == 1
    assert (await town.ask("DELETE", "sessions/others")).status == 401


async def app_of(town: Street, sub: str) -> str:
    """The id of what an app goes on with that this person let in."""
    logs = RecordedLogs()
    http = HttpClient("tests", RecordedMetrics(), logs.logger())
    dealer = Peer.of("tokendealer", town.settings, http, Identity.of("accounts", town.settings, http))
    order = {"sub": sub, "scopes": ["activities:read"], "client": "somebodys-app", "label": ""}
    issued = await dealer.post("/internal/v1/tokens", json=order, type=dict[str, object])
    await http.close()
    logs.close()
    return str(issued["family"])


async def test_a_sign_in_from_a_new_device_is_told_once(town: Street) -> None:
    days = {in_kathmandu()}
    await town.register(timezone="Asia/Kathmandu")
    await town.activate((await town.secrets_mailed_to(KIM))[0])
    await sign_in(town, FIREFOX)
    await sign_in(town, FIREFOX_NEXT)
    await asyncio.gather(*(sign_in(town, IPHONE) for _ in range(5)))
    await sign_in(town, "An old phone")
    await sign_in(town, IPHONE)

    await eventually(lambda: len(told(town)) == 2)

    days.add(in_kathmandu())
    texts = [body.get_content() for mail in told(town) if (body := mail.get_body(("plain",)))]
    unknown, iphone = sorted(texts, key=lambda text: "Mobile Safari · iOS" in text)  # mails may overtake each other
    assert "Mobile Safari · iOS" in iphone
    assert any(f"on {day}" in iphone for day in days)
    assert "(Asia/Kathmandu)" in iphone
    assert "before: ?, on" in unknown


def in_kathmandu() -> str:
    """The day that it is there."""
    return f"{datetime.now(UTC) + timedelta(hours=5, minutes=45):%Y-%m-%d}"


async def test_who_has_not_confirmed_the_address_gets_no_such_mail(town: Street) -> None:
    await town.register()
    await sign_in(town, FIREFOX)
    await sign_in(town, IPHONE)

    assert await town.database.collection("known_devices").count_documents({}) == 0


async def test_a_wrong_password_makes_no_device_known(town: Street) -> None:
    await town.active_runner()
    known = town.database.collection("known_devices")
    before = await known.count_documents({})

    await town.ask("POST", "sessions", {"email": KIM, "password": "wrong password"}, User_Agent=IPHONE)

    assert await known.count_documents({}) == before


async def test_a_device_is_kept_as_a_hash_until_half_a_year_after_its_last_sign_in(town: Street) -> None:
    token = await town.active_runner()
    sub = (await town.ask("GET", "accounts/me", token=token)).body["id"]
    await sign_in(town, FIREFOX)
    known = town.database.collection("known_devices")
    assert "Firefox" not in str(await known.find().to_list(None))
    await known.update_many({}, {"$set": {"expires_at": datetime.now(UTC) + timedelta(days=9)}})

    await sign_in(town, FIREFOX)

    left = [device["expires_at"] - datetime.now(UTC) for device in await known.find().to_list(None)]
    assert timedelta(days=179) < max(left) < timedelta(days=181)
    await town.accounts_as_seen_by_itself.delete(f"/internal/v1/people/{sub}")
    assert await known.count_documents({}) == 0
