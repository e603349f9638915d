"""What browsers are told about pages of other sites: nothing, but for origins on the list, and of cookies never."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Literal

import aiohttp
import pytest
from msgspec import Struct

from services.chassis.answers import Answer, Event, EventStream
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.problems import TooMany
from tests.support.serving import Running, runner, running

APP, OTHER = "https://app.example", "https://evil.example"
LONG = "x" * 2000


class Note(Struct, frozen=True):
    text: str


class Notes(Endpoint[None]):
    """Notes."""

    @operation("readNote", scope="activities:read")
    async def get(self) -> Answer[Note]:
        """Read a note."""
        return Answer(Note(LONG), version=7)

    @operation("addNote", scope="activities:write", status=201, problems=(TooMany,))
    async def post(self, body: Note) -> Answer[Note]:
        """Add a note."""
        if body.text == "again":
            raise TooMany(retry_after_s=3)
        return Answer(body, location="/notes/1")


class Events(Endpoint[None]):
    """What happens."""

    @operation("watchNotes", scope=None)
    async def get(self) -> EventStream:
        """Watch."""

        async def source() -> AsyncIterator[Event]:
            yield Event({"id": 1}, id="1")

        return EventStream(source())


class Question(Endpoint[None]):
    """A page for whoever is at the browser."""

    known_by: ClassVar[Literal["session", "client"] | None] = "session"

    @operation("readQuestion", scope=None)
    async def get(self) -> Note:
        """Ask."""
        return Note("?")


ROUTES = (Route("/notes", Notes), Route("/notes/events", Events), Route("/question", Question))
CALLERS = {"tok": runner("kim", "activities:read", "activities:write")}


@pytest.fixture
async def listed() -> AsyncIterator[Running]:
    async with running(ROUTES, callers=CALLERS, origins=[APP], compress=True) as it:
        yield it


async def call(it: Running, method: str, path: str, **options: object) -> aiohttp.ClientResponse:
    async with it.client.request(method, it.url + path, **options) as answer:  # type: ignore[arg-type]
        await answer.read()
        return answer


def told(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """All that the answer tells of other origins."""
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


def varies(answer: aiohttp.ClientResponse) -> set[str]:
    return {name.strip() for value in answer.headers.getall("Vary", []) for name in value.split(",")}


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    wanted = "authorization,content-type,idempotency-key,if-match"
    return {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": wanted}


AUTHORIZED = {"Authorization": "Bearer tok"}


async def test_nothing_is_told_unless_an_operator_lists_origins() -> None:
    async with running(ROUTES, callers=CALLERS) as it:
        asked = await call(it, "OPTIONS", "/notes", headers=preflight(APP))
        read = await call(it, "GET", "/notes", headers={"Origin": APP} | AUTHORIZED)
    assert (asked.status, told(asked), told(read)) == (204, {}, {})
    assert "Origin" not in varies(read)


async def test_a_preflight_says_what_a_page_of_a_listed_origin_may_send(listed: Running) -> None:
    answer = await call(listed, "OPTIONS", "/notes", headers=preflight(APP))
    assert answer.status == 204
    assert told(answer) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match,"
        " Last-Event-ID, traceparent",
        "Access-Control-Expose-Headers": "ETag, Location, Retry-After, WWW-Authenticate, Allow, Content-Disposition,"
        " Idempotency-Replayed, X-Request-Id",
        "Access-Control-Max-Age": "3600",
    }
    assert "Origin" in varies(answer)


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "https://app.example.evil.example", "https://app.example:8443", "*", ""]
)
async def test_a_page_of_any_other_origin_is_told_nothing(listed: Running, origin: str) -> None:
    for answer in (
        await call(listed, "OPTIONS", "/notes", headers=preflight(origin)),
        await call(listed, "GET", "/notes", headers={"Origin": origin} | AUTHORIZED),
        await call(listed, "GET", "/nowhere", headers={"Origin": origin}),
    ):
        assert told(answer) == {}
        assert "Origin" in varies(answer), "or a cache would give it the answer for another"


async def test_a_page_of_a_listed_origin_reads_answers_with_their_headers(listed: Running) -> None:
    read = await call(listed, "GET", "/notes", headers={"Origin": APP} | AUTHORIZED)
    added = await call(listed, "POST", "/notes", json={"text": "x"}, headers={"Origin": APP} | AUTHORIZED)
    for answer, header in ((read, "ETag"), (added, "Location")):
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        assert header in answer.headers
        assert header in answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Origin", "Authorization", "Cookie"} <= varies(answer)
    assert "Accept-Encoding" in varies(read), "what compresses adds itself"
    known = await call(
        listed, "GET", "/notes", headers={"Origin": APP, "If-None-Match": read.headers["ETag"]} | AUTHORIZED
    )
    assert (known.status, known.headers["Access-Control-Allow-Origin"]) == (304, APP)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/notes", {}, 401),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/notes", AUTHORIZED, 405),
        ("POST", "/notes", {"Content-Type": "text/plain"} | AUTHORIZED, 415),
    ],
)
async def test_it_reads_what_is_wrong_too(
    listed: Running, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await call(listed, method, path, headers={"Origin": APP} | headers)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, APP)


async def test_it_reads_for_how_long_to_wait(listed: Running) -> None:
    answer = await call(listed, "POST", "/notes", json={"text": "again"}, headers={"Origin": APP} | AUTHORIZED)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


async def test_it_follows_events(listed: Running) -> None:
    answer = await call(listed, "GET", "/notes/events", headers={"Origin": APP})
    assert answer.headers["Access-Control-Allow-Origin"] == APP


async def test_cookies_never_count_from_elsewhere(listed: Running) -> None:
    """Neither does an answer say that they may, nor does one that came along change anything."""
    cookie = {"Origin": APP, "Cookie": "runnerly_access=tok", "Sec-Fetch-Site": "cross-site"}
    read = await call(listed, "GET", "/notes", headers=cookie)
    added = await call(listed, "POST", "/notes", json={"text": "x"}, headers=cookie)
    asked = await call(listed, "OPTIONS", "/notes", headers=preflight(APP) | cookie)
    for answer in (read, added, asked):
        assert "Access-Control-Allow-Credentials" not in answer.headers
    assert added.status == 403


async def test_pages_for_whoever_is_at_the_browser_are_for_nobody_else(listed: Running) -> None:
    asked = await call(listed, "OPTIONS", "/question", headers=preflight(APP, "GET"))
    read = await call(listed, "GET", "/question", headers={"Origin": APP})
    assert (told(asked), told(read), read.status) == ({}, {}, 200)


async def test_options_without_an_origin_tells_verbs_as_ever(listed: Running) -> None:
    answer = await call(listed, "OPTIONS", "/notes")
    assert (answer.status, answer.headers["Allow"], told(answer)) == (204, "HEAD, GET, POST, OPTIONS", {})
