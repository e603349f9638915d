"""Whatever is sent: a clear problem, nothing stored, nothing leaked, never a 500."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import secrets
import socket

import pytest

from tests.support.api import PASSWORD, Answer, Api, Person
from tests.support.recordings import a_run, gpx
from tests.support.running import Running

MIB = 1024**2


def nothing_stored(person: Person) -> bool:
    return person.api.get("activities").json["items"] == []


# -- bodies


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", {400, 415, 422}),
        (b"{", {400, 422}),
        (b"\xff\xfe\x00", {400, 422}),
        (b"[]", {422}),
        (b'"text"', {422}),
        (b"null", {422}),
        (b'{"email": 1, "password": "x", "name": "y"}', {422}),
        (b'{"email": "a@b.example", "password": "long enough 4711", "name": "y", "admin": true}', {422}),
        (b"[" * 100_000, {400, 422}),
        (b'{"email": "' + b"a" * 20_000 + b'@example.com", "password": "long enough 4711", "name": "y"}', {422}),
        (b'{"email": "\x00@example.com", "password": "long enough 4711", "name": "y"}', {400, 422}),
    ],
    ids=range(11),
)
def test_wrong_json_is_a_problem(anybody: Api, body: bytes, status: set[int]) -> None:
    answer = anybody.ask("POST", "accounts", body, headers={"Content-Type": "application/json"})
    assert answer.status in status, answer.body


def test_an_unknown_field_is_named(person: Person) -> None:
    id_ = person.api.upload("run.gpx", gpx(a_run(600, every=5))).json["id"]
    answer = person.api.ask("PATCH", f"activities/{id_}", {"title": "x", "colour": "red"})
    assert answer.status == 422
    assert any("colour" in error["field"] + error["message"] for error in answer.json["errors"])
    assert person.api.get(f"activities/{id_}").json["title"] != "x"


def test_an_unknown_query_parameter_is_refused(person: Person) -> None:
    assert person.api.get("activities", sorted_by="speed").status == 422


def test_10_mib_where_10_kib_are_expected_are_refused(anybody: Api) -> None:
    body = json.dumps({"email": "a@example.com", "password": "x" * 10 * MIB, "name": "y"}).encode()
    assert anybody.post("accounts", body, content_type="application/json").status == 413


def test_another_media_type_is_refused(anybody: Api) -> None:
    assert anybody.post("sessions", b"email=a", content_type="application/x-www-form-urlencoded").status == 415


@pytest.mark.parametrize(
    "name", ["run.fit", "run.gpx", "run.tcx", "run.fit.gz", "run.exe", "", "../../etc/passwd", "x" * 5000]
)
def test_random_bytes_are_no_activity(person: Person, name: str) -> None:
    content = random.Random(name).randbytes(50_000)
    assert person.api.upload(name, content).status == 422
    assert nothing_stored(person)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_a_file_cut_short_is_imported_as_far_as_it_goes_or_refused(person: Person, share: float) -> None:
    whole = gpx(a_run(600, every=5))
    assert person.api.upload("run.gpx", whole[: int(len(whole) * share)]).status in {201, 422}


def test_an_entity_bomb_is_refused(person: Person) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE g [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><gpx><name>&b;</name></gpx>'
    assert person.api.upload("bomb.gpx", bomb).status == 422
    assert nothing_stored(person)


def test_a_form_without_its_file_is_refused(person: Person) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n'
    assert person.api.post("activities", body, content_type="multipart/form-data; boundary=b").status in {400, 422}
    assert person.api.post("activities", body, content_type="multipart/form-data").status in {400, 415, 422}


# -- who asks


def forged(**claims: object) -> str:
    """A token with a header and claims of its sender's choice, and no signature to speak of."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    header = {"alg": claims.pop("alg", "none"), "typ": "JWT"}
    return f"{part(header)}.{part(claims)}.{claims.pop('signature', '')}"


def wrong_tokens(token: str) -> dict[str, str]:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return {
        "nonsense": "nonsense",
        "three words": "a.b.c",
        "not signed": forged(**claims),
        "another algorithm": forged(alg="HS256", signature=signature, **claims),
        "another person": ".".join([head, forged(**{**claims, "sub": "somebody-else"}).split(".")[1], signature]),
        "longer": ".".join([head, forged(**{**claims, "exp": 99_999_999_999}).split(".")[1], signature]),
        "signature cut": token[:-8],
        "signature of zeros": f"{head}.{body}.{'A' * len(signature)}",
        "very long": "a" * 7000,
    }


def test_a_wrong_token_of_any_kind_is_a_401(person: Person) -> None:
    for what, token in wrong_tokens(person.api.token or "").items():
        answer = Api(person.api.port, token).get("activities")
        assert answer.status == 401, what
        assert "WWW-Authenticate" in answer.headers, what
    assert Api(person.api.port).get("activities").status == 401
    basic = Api(person.api.port).ask("GET", "activities", headers={"Authorization": "Basic YTpi"})
    assert basic.status == 401


def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(person: Person, anybody: Api) -> None:
    answers = [
        anybody.post("sessions", {"email": email, "password": "not the pass phrase"}).json
        for email in (person.email, "nobody@example.com")
    ]
    assert all(answer["type"].endswith("/invalid-credentials") for answer in answers)
    assert answers[0]["detail"] == answers[1]["detail"]


def test_an_activation_token_works_once(it: Running, anybody: Api, person: Person, mailbox) -> None:  # type: ignore[no-untyped-def]
    used = next(m for m in mailbox.messages(person.email) if "/activate?token=" in m["text"])
    token = used["text"].split("/activate?token=")[1].split()[0]
    for wrong in (token, "unknown", token[:-1], "x" * 4000):
        assert anybody.post("accounts/activation", {"token": wrong}).status in {410, 422}


def test_ten_failures_lock_an_account_for_a_while(anybody: Api, other: Person) -> None:
    answers: list[Answer] = []
    for _ in range(12):
        answers.append(anybody.post("sessions", {"email": other.email, "password": "wrong"}))
        if answers[-1].status == 429:
            break
    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert anybody.post("sessions", {"email": other.email, "password": PASSWORD}).status == 429


# -- whose it is


def test_what_is_somebody_elses_is_not_there(person: Person, other: Person) -> None:
    id_ = person.api.upload("run.gpx", gpx(a_run(600, every=5))).json["id"]
    for path in ("", "/streams", "/laps", "/original"):
        assert other.api.get(f"activities/{id_}{path}").status == 404, path
    assert other.api.ask("PATCH", f"activities/{id_}", {"title": "mine"}).status == 404
    assert other.api.ask("DELETE", f"activities/{id_}").status == 404
    assert person.api.get(f"activities/{id_}").status == 200
    assert nothing_stored(other)


@pytest.mark.parametrize("id_", ["0", "x" * 500, "%00", "..%2f..", "%24where", "507f1f77bcf86cd799439011", "💥"])
def test_an_id_that_is_none_is_not_there(person: Person, id_: str) -> None:
    path = id_ if id_.isascii() else "%F0%9F%92%A5"
    assert person.api.get(f"activities/{path}").status in {400, 404}


def test_a_cursor_that_was_tampered_with_is_refused(person: Person, other: Person) -> None:
    for day in (1, 2):
        start = a_run(1)[0].at.replace(day=day)
        person.api.upload("run.gpx", gpx(a_run(600, start=start, every=10)))
    cursor = person.api.get("activities", limit=1).json["next"]
    assert cursor
    for wrong in (cursor[:-2], cursor + "AA", cursor[::-1], "nonsense", secrets.token_urlsafe(64)):
        assert person.api.get("activities", limit=1, cursor=wrong).status == 422, wrong
    assert other.api.get("activities", limit=1, cursor=cursor).status == 422
    assert person.api.get("activities", limit=1, cursor=cursor, sort="started_at").status == 422
    for limit in (0, -1, 101, "many"):
        assert person.api.get("activities", limit=limit).status == 422


# -- what is not for the street


@pytest.mark.parametrize(
    "path",
    [
        "/internal/v1/tokens",
        "/tokendealer/internal/v1/tokens",
        "/api/v1/internal/v1/people/1",
        "/api/v1/../../internal/v1/tokens",
        "/accounts/internal/v1/people/1",
    ],
)
def test_internal_paths_are_refused_at_the_door(anybody: Api, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert anybody.ask(method, path, {} if method == "POST" else None).status in {400, 404, 405}


def test_the_internal_port_takes_no_users_token(it: Running, person: Person) -> None:
    inside = Api(it.internal_port, person.api.token)
    assert inside.get("/activities/internal/v1/people/1").status in {401, 403}
    assert Api(it.internal_port).post("/tokendealer/internal/v1/tokens", {}).status in {401, 403}


def test_it_listens_on_loopback_only(it: Running) -> None:
    listening = {
        connection.laddr.ip
        for process in it.processes()
        for connection in process.net_connections("inet")
        if connection.status in {"LISTEN", "NONE"} and not connection.raddr
    }
    assert listening <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00 random bytes\r\n\r\n",
        b"GET /api/v1/activities HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=range(4),
)
def test_what_is_no_http_hurts_nobody(it: Running, anybody: Api, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", it.port), timeout=60) as connection:
        connection.settimeout(60)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # closed on what had not been read yet
            connection.sendall(raw)
            answer = connection.recv(1000)
    assert answer == b"" or b" 4" in answer.split(b"\r\n")[0]
    assert anybody.get("/__lbheartbeat__").status == 200
