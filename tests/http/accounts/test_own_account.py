"""One's own account: what is told of it, how it changes, and how it goes."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from services.chassis.bus.assembly import make_transport
from services.chassis.bus.event import Event
from services.chassis.http_answers import PeerRefused
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.street import Street
from tests.support.waiting import eventually


async def test_an_account_tells_what_is_known_and_null_for_the_rest(town: Street) -> None:
    token = await town.active_runner()

    me = await town.ask("GET", "accounts/me", token=token)

    assert me.body == {
        "id": me.body["id"],
        "email": "kim@runnerly.test",
        "name": "Kim",
        "locale": "en",
        "timezone": "UTC",
        "units": "metric",
        "sex": None,
        "born_on": None,
        "weight_kg": None,
        "max_hr_bpm": None,
        "rest_hr_bpm": None,
        "threshold_speed_mps": None,
        "roles": ["runner"],
        "activated": True,
    }
    again = await town.ask("GET", "accounts/me", token=token, If_None_Match=me.headers["Etag"])
    assert again.status == 304


CHANGE = {
    "name": "Kim Lou",
    "locale": "fr-CA",
    "timezone": "America/Montreal",
    "units": "imperial",
    "sex": "female",
    "born_on": "1987-02-28",
    "weight_kg": 61.5,
    "max_hr_bpm": 188,
    "rest_hr_bpm": 48,
    "threshold_speed_mps": 3.6,
}


async def test_all_that_one_told_can_be_changed_and_taken_back(town: Street) -> None:
    token = await town.active_runner()

    changed = await town.ask("PATCH", "accounts/me", CHANGE, token=token)
    assert changed.status == 200
    assert {name: changed.body[name] for name in CHANGE} == CHANGE
    taken_back = await town.ask("PATCH", "accounts/me", {"born_on": None, "weight_kg": None}, token=token)

    assert (taken_back.body["born_on"], taken_back.body["weight_kg"], taken_back.body["name"]) == (
        None,
        None,
        "Kim Lou",
    )
    assert (await town.ask("GET", "accounts/me", token=token)).body == taken_back.body


async def test_who_changes_an_old_version_is_told(town: Street) -> None:
    token = await town.active_runner()
    seen = (await town.ask("GET", "accounts/me", token=token)).headers["Etag"]

    first = await town.ask("PATCH", "accounts/me", {"name": "One"}, token=token, If_Match=seen)
    late = await town.ask("PATCH", "accounts/me", {"name": "Two"}, token=token, If_Match=seen)
    same = await town.ask("PATCH", "accounts/me", {"name": "One"}, token=token)

    assert (first.status, late.status, same.status) == (200, 412, 200)
    assert first.headers["Etag"] != seen
    assert same.headers["Etag"] == first.headers["Etag"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "eve@runnerly.test"}, "email"),
        ({"roles": ["admin"]}, "roles"),
        ({"activated": False}, "activated"),
        ({"name": None}, "name"),
        ({"units": "nautical"}, "units"),
        ({"timezone": "Mars"}, "timezone"),
        ({"born_on": "2999-01-01"}, "born_on"),
        ({"born_on": "yesterday"}, "born_on"),
        ({"weight_kg": -1}, "weight_kg"),
        ({"max_hr_bpm": 150, "rest_hr_bpm": 110, "threshold_speed_mps": 99}, "threshold_speed_mps"),
    ],
)
async def test_what_can_t_be_is_refused_by_name(town: Street, change: dict[str, Any], field: str) -> None:
    token = await town.active_runner()

    refused = await town.ask("PATCH", "accounts/me", change, token=token)

    assert refused.status == 422
    assert [error["field"] for error in refused.body["errors"]] == [field]


async def test_what_training_is_measured_by_has_limits(town: Street) -> None:
    token = await town.active_runner()
    limits = {
        "weight_kg": (20, 400),
        "max_hr_bpm": (100, 250),
        "rest_hr_bpm": (25, 120),
        "threshold_speed_mps": (0.5, 10),
    }

    async def patch(field: str, value: float | None) -> int:
        return (await town.ask("PATCH", "accounts/me", {field: value}, token=token)).status

    for field, (least, most) in limits.items():
        step = 0.01 if field == "threshold_speed_mps" else 1
        statuses = [await patch(field, value) for value in (least, most, least - step, most + step, None)]
        assert statuses == [200, 200, 422, 422, 200], field


async def test_others_hear_what_happens_to_an_account(town: Street) -> None:
    logs, heard = RecordedLogs(), list[Event]()
    transport = make_transport("", town.mongo, metrics=RecordedMetrics(), log=logs.logger())
    await transport.start()

    async def hear(event: Event) -> None:
        heard.append(event)

    await transport.subscribe("tests", ["account.*", "profile.changed"], hear)
    token = await town.active_runner()
    await town.ask("PATCH", "accounts/me", {"max_hr_bpm": 188}, token=token)
    await eventually(lambda: len(heard) == 4)
    await transport.stop()
    logs.close()

    by_topic = sorted((event.topic, event.version) for event in heard)
    assert by_topic == [
        ("account.activated", 2),
        ("account.registered", 1),
        ("profile.changed", 1),
        ("profile.changed", 3),
    ]
    assert len({event.sub for event in heard}) == 1
    assert max(heard, key=lambda event: event.version).data["max_hr_bpm"] == 188
    assert "kim@runnerly.test" not in str(heard)


async def test_an_account_can_be_taken_out_and_erased(town: Street) -> None:
    token = await town.active_runner()
    sub = (await town.ask("GET", "accounts/me", token=token)).body["id"]
    peer = town.accounts_as_seen_by_itself

    async with peer.stream(f"/internal/v1/people/{sub}") as response:
        archive = io.BytesIO(b"".join([chunk async for chunk in response.chunks()]))
    with tarfile.open(fileobj=archive) as tar:
        member = tar.extractfile("account.json")
        assert member
        account = json.load(member)
    assert account["email"] == "kim@runnerly.test"
    assert "password" not in account

    await peer.delete(f"/internal/v1/people/{sub}")
    assert (await town.ask("GET", "accounts/me", token=token)).status == 401
    assert (await town.sign_in()).status == 401
    assert await town.database.collection("accounts").count_documents({}) == 0
    assert (await town.register()).status == 202


async def test_no_other_service_takes_people_out_or_erases_them(town: Street) -> None:
    sub = (await town.ask("GET", "accounts/me", token=await town.active_runner())).body["id"]
    for attempt in (town.accounts_as_seen_by_mailer.get, town.accounts_as_seen_by_mailer.delete):
        with pytest.raises(PeerRefused) as refused:
            await attempt(f"/internal/v1/people/{sub}")
        assert refused.value.status == 403


async def test_nobody_else_s_account_can_be_read_without_a_token(town: Street) -> None:
    assert (await town.ask("GET", "accounts/me")).status == 401
    assert (await town.ask("GET", "accounts/me", token="invented")).status == 401
