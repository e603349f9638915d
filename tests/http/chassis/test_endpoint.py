"""What every endpoint does with a request, whatever its verb does."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any

import aiohttp
import msgspec
import pytest
from msgspec import Meta, Struct

from services.chassis.answers import Answer, Event, EventStream, Items, Page
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.intake import Upload
from services.chassis.mongo import Database, Mongo
from services.chassis.operations import operation
from services.chassis.paging import PageQuery
from services.chassis.problems import NotFound, Stale
from tests.support.database import DatabaseServer, answers
from tests.support.serving import Running, runner, running
from tests.support.waiting import eventually


class NewShoe(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=40)]
    grams: Annotated[int, Meta(ge=0)] = 300


class Shoe(Struct, frozen=True):
    id: str
    name: str
    grams: int
    retired_at: datetime | None = None


class ShoeQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    heavy: bool = False
    since: date | None = None


@dataclass
class Shelf:
    shoes: dict[str, Shoe] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    database: Database | None = None
    slow_s: float = 0.0
    gate: asyncio.Event | None = None
    calls: int = 0

    async def add(self, new: NewShoe, once: Once[Shoe]) -> Shoe:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        shoe = Shoe(f"s{self.calls}", new.name, new.grams)
        if new.name == "broken":
            raise RuntimeError("the shelf broke")
        if new.name == "refused":
            raise NotFound("No room on the shelf")

        async def save(session: object) -> None:
            await self.database.collection("shoes").insert_one({"_id": shoe.id}, session=session)
            await once.keep(session, shoe)

        if self.database is not None:
            await self.database.transact(save)
        else:
            await once.keep(None, shoe)
        self.shoes[shoe.id], self.versions[shoe.id] = shoe, 1
        return shoe


class Shoes(Endpoint[Shelf]):
    @operation("listShoes", scope="activities:read")
    async def get(self, query: ShoeQuery) -> Page[Shoe]:
        """List shoes."""
        start = self.position(query, int) or 0
        shoes = list(self.uses.shoes.values())
        following = start + query.limit if start + query.limit < len(shoes) else None
        return self.page(query, shoes[start : start + query.limit], following)

    @operation("addShoe", scope="activities:write", status=201, problems=(NotFound,))
    async def post(self, body: NewShoe, once: Once[Shoe]) -> Answer[Shoe]:
        """Add a shoe."""

        def created(shoe: Shoe) -> Answer[Shoe]:
            return Answer(shoe, version=1, location=f"/shoes/{shoe.id}")

        return created(await self.uses.add(body, once.answering(created)))


class OneShoe(Endpoint[Shelf]):
    @operation("readShoe", scope="activities:read")
    async def get(self, shoe_id: str) -> Answer[Shoe]:
        """Read a shoe."""
        if shoe_id not in self.uses.shoes:
            raise NotFound
        return Answer(self.uses.shoes[shoe_id], version=self.uses.versions[shoe_id])

    @operation("renameShoe", scope="activities:write", problems=(Stale,))
    async def patch(self, shoe_id: str, body: NewShoe) -> Answer[Shoe]:
        """Rename a shoe."""
        version = self.uses.versions[shoe_id]
        if self.expected_version not in {None, version}:
            raise Stale
        self.uses.versions[shoe_id] = version + 1
        return Answer(self.uses.shoes[shoe_id], version=version + 1)

    @operation("removeShoe", scope="activities:write")
    async def delete(self, shoe_id: str) -> None:
        """Remove a shoe."""
        self.uses.shoes.pop(shoe_id)


class Weigh(Endpoint[Shelf]):
    @operation("weighFile", scope="activities:write", body_limit=2 * 1024 * 1024)
    async def post(self, upload: Upload) -> Items[str]:
        """Weigh a file."""
        return Items([upload.filename, str(len(upload.content))])


class Mood(Struct, frozen=True):
    mood: str


class MoodOfTheDay(Endpoint[Shelf]):
    @operation("readMood", scope="activities:read")
    async def get(self) -> Mood:
        """Read what has no version."""
        return Mood("fine")


class Slow(Endpoint[Shelf]):
    @operation("dawdle", scope=None, timeout_s=1.0)
    async def post(self, body: NewShoe, once: Once[None]) -> None:
        """Take longer than there is."""
        await asyncio.sleep(30)
        await once.keep(None, None)


class Ticks(Endpoint[Shelf]):
    @operation("followTicks", scope="activities:read")
    async def get(self) -> EventStream:
        """Follow ticks."""

        async def source() -> AsyncIterator[Event]:
            yield Event({"tick": 1}, id="1")
            yield Event({"tick": 2}, id="2")
            if self.uses.slow_s:
                await asyncio.sleep(self.uses.slow_s)

        return EventStream(source())


ROUTES = (
    Route("/shoes", Shoes),
    Route("/shoes/{shoe_id}", OneShoe),
    Route("/weigh", Weigh),
    Route("/mood", MoodOfTheDay),
    Route("/ticks", Ticks),
    Route("/slow", Slow),
)
READ, WRITE = "activities:read", "activities:write"
ANN = {"Authorization": "Bearer ann"}
BOB = {"Authorization": "Bearer bob"}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def here(shelf: Shelf) -> AsyncIterator[Running]:
    callers = {"ann": runner("ann", READ, WRITE), "bob": runner("bob", READ)}
    async with running(ROUTES, uses=shelf, callers=callers) as service:
        yield service


@pytest.fixture
async def kept(shelf: Shelf, database: Database) -> AsyncIterator[Running]:
    """The same, with a database to keep idempotent answers in."""
    shelf.database = database
    callers = {"ann": runner("ann", READ, WRITE), "eve": runner("eve", READ, WRITE)}
    async with running(ROUTES, uses=shelf, callers=callers, database=database) as service:
        yield service


async def problem(answer: aiohttp.ClientResponse, status: int, kind: str) -> dict[str, object]:
    """The problem document of an answer, checked for what each of them has."""
    assert answer.status == status, await answer.text()
    assert answer.content_type == "application/problem+json"
    document = await answer.json(content_type=None)
    assert document["status"] == status
    assert document["type"].endswith(f"/{kind}")
    assert document["title"]
    assert document["detail"]
    assert isinstance(document["errors"], list)
    return document


async def send(request: Any) -> None:
    """Make a request whose answer does not matter."""
    async with request as answer:
        await answer.read()


class TestBodies:
    async def test_a_value_is_answered_with_its_status_location_and_tag(self, here: Running) -> None:
        async with here.client.post(f"{here.url}/shoes", json={"name": "Swift"}, headers=ANN) as answer:
            assert answer.status == 201
            assert answer.headers["Location"] == "/shoes/s1"
            assert answer.headers["Etag"] == '"1-json"'
            assert await answer.json() == {"id": "s1", "name": "Swift", "grams": 300, "retired_at": None}

    @pytest.mark.parametrize(
        ("body", "status", "kind", "field"),
        [
            (b"{", 400, "malformed", None),
            (b"", 400, "malformed", None),
            (b"[]", 422, "invalid", "body"),
            (b'{"name": 1}', 422, "invalid", "name"),
            (b'{"name": "x", "color": "red"}', 422, "invalid", "color"),
            (b"{}", 422, "invalid", "name"),
            (b'{"name": "\xff"}', 422, "invalid", "body"),
            (b"[" * 100_000, 422, "invalid", "body"),
            (b'{"name": "x", "grams": -1}', 422, "invalid", "grams"),
        ],
    )
    async def test_wrong_json_is_told_by_its_field(
        self, here: Running, body: bytes, status: int, kind: str, field: str | None
    ) -> None:
        headers = {**ANN, "Content-Type": "application/json"}
        async with here.client.post(f"{here.url}/shoes", data=body, headers=headers) as answer:
            document = await problem(answer, status, kind)
        assert [error["field"] for error in document["errors"]] == ([field] if field else [])
        assert here.serving.uses.calls == 0

    async def test_another_media_type_is_refused(self, here: Running) -> None:
        async with here.client.post(f"{here.url}/shoes", data=b"name=x", headers=ANN) as answer:
            await problem(answer, 415, "unsupported-media-type")

    async def test_ten_megabytes_where_ten_kilobytes_are_expected(self, here: Running) -> None:
        body = msgspec.json.encode({"name": "x" * 10_000_000})
        headers = {**ANN, "Content-Type": "application/json"}
        async with here.client.post(f"{here.url}/shoes", data=io.BytesIO(body), headers=headers) as answer:
            await problem(answer, 413, "too-large")
        async with here.client.get(f"{here.url}/shoes", headers=ANN) as answer:
            assert answer.status == 200

    async def test_a_body_without_a_length_is_bounded_too(self, here: Running) -> None:
        async def endless() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b" " * 100_000

        headers = {**ANN, "Content-Type": "application/json"}
        async with here.client.post(f"{here.url}/shoes", data=endless(), headers=headers) as answer:
            await problem(answer, 413, "too-large")

    async def test_a_large_body_of_nobody_is_refused_for_who_sends_it(self, here: Running) -> None:
        async with here.client.post(f"{here.url}/weigh", data=io.BytesIO(b"x" * 1_900_000)) as answer:
            await problem(answer, 401, "unauthenticated")

    async def test_bodies_share_a_budget(self, shelf: Shelf) -> None:
        async with running(ROUTES, uses=shelf, callers={"ann": runner("ann", WRITE)}, budget=1_000_000) as service:
            headers = {**ANN, "Content-Type": "application/octet-stream"}
            for _ in range(3):
                async with service.client.post(f"{service.url}/weigh", data=b"x" * 900_000, headers=headers) as answer:
                    assert answer.status == 200
            async with service.client.post(
                f"{service.url}/weigh", data=io.BytesIO(b"x" * 1_900_000), headers=headers
            ) as answer:
                await problem(answer, 503, "unavailable")
                assert answer.headers["Retry-After"] == "2"

    async def test_a_file_comes_as_a_form_or_as_bytes(self, here: Running) -> None:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", b"abc", filename="ä run.gpx")
        async with here.client.post(f"{here.url}/weigh", data=form, headers=ANN) as answer:
            assert await answer.json() == {"items": ["ä run.gpx", "3"]}
        headers = {**ANN, "Content-Type": "application/octet-stream"}
        async with here.client.post(f"{here.url}/weigh?filename=run.fit", data=b"abcd", headers=headers) as answer:
            assert await answer.json() == {"items": ["run.fit", "4"]}

    @pytest.mark.parametrize("way", ["form", "bytes"])
    async def test_a_file_is_as_large_as_the_limit_says_and_no_larger(self, here: Running, way: str) -> None:
        limit = 2 * 1024 * 1024
        for size, status in ((limit, 200), (limit + 1, 413)):
            headers, data = ANN, aiohttp.FormData()
            if way == "form":
                data.add_field("file", io.BytesIO(b"x" * size), filename="run.fit")
            else:
                headers, data = {**ANN, "Content-Type": "application/octet-stream"}, io.BytesIO(b"x" * size)
            async with here.client.post(f"{here.url}/weigh", data=data, headers=headers) as answer:
                assert answer.status == status
                told = await answer.json(content_type=None)
        assert told["detail"] == "This call takes at most 2 MiB"

    async def test_a_form_without_the_file_is_told(self, here: Running) -> None:
        form = aiohttp.FormData({"other": "x"}, default_to_multipart=True)
        async with here.client.post(f"{here.url}/weigh", data=form, headers=ANN) as answer:
            await problem(answer, 422, "invalid")
        headers = {**ANN, "Content-Type": "multipart/form-data"}
        async with here.client.post(f"{here.url}/weigh", data=b"xx", headers=headers) as answer:
            await problem(answer, 400, "malformed")


class TestVersions:
    async def test_what_the_caller_has_is_not_sent_again(self, here: Running) -> None:
        await send(here.client.post(f"{here.url}/shoes", json={"name": "Swift"}, headers=ANN))
        for tag in ('"1-json"', 'W/"1-json"', '"0-json", "1-json"', "*"):
            headers = {**ANN, "If-None-Match": tag}
            async with here.client.get(f"{here.url}/shoes/s1", headers=headers) as answer:
                assert answer.status == 304
                assert await answer.read() == b""
                assert answer.headers["Etag"] == '"1-json"'

    async def test_another_format_is_another_tag(self, here: Running) -> None:
        await send(here.client.post(f"{here.url}/shoes", json={"name": "Swift"}, headers=ANN))
        headers = {**ANN, "Accept": "application/msgpack", "If-None-Match": '"1-json"'}
        async with here.client.get(f"{here.url}/shoes/s1", headers=headers) as answer:
            assert answer.status == 200
            assert answer.headers["Etag"] == '"1-msgpack"'
            assert msgspec.msgpack.decode(await answer.read())["name"] == "Swift"

    async def test_a_list_has_a_tag_of_what_it_says(self, here: Running) -> None:
        await send(here.client.post(f"{here.url}/shoes", json={"name": "Swift"}, headers=ANN))
        async with here.client.get(f"{here.url}/shoes", headers=ANN) as answer:
            tag = answer.headers["Etag"]
        async with here.client.get(f"{here.url}/shoes", headers={**ANN, "If-None-Match": tag}) as answer:
            assert answer.status == 304
        await send(here.client.post(f"{here.url}/shoes", json={"name": "Light"}, headers=ANN))
        async with here.client.get(f"{here.url}/shoes", headers={**ANN, "If-None-Match": tag}) as answer:
            assert answer.status == 200

    async def test_what_has_no_version_has_a_tag_of_what_it_says(self, here: Running) -> None:
        async with here.client.get(f"{here.url}/mood", headers=ANN) as answer:
            tag = answer.headers["Etag"]
        async with here.client.get(f"{here.url}/mood", headers={**ANN, "If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")

    @pytest.mark.parametrize(
        ("tag", "status"),
        [
            (None, 200),
            ('"1-json"', 200),
            ('W/"1-msgpack"', 200),
            ("*", 200),
            ('"2-json"', 412),
            ("what?", 412),
            ('"x", "1-json"', 200),
        ],
    )
    async def test_a_change_names_the_version_it_changes(self, here: Running, tag: str | None, status: int) -> None:
        await send(here.client.post(f"{here.url}/shoes", json={"name": "Swift"}, headers=ANN))
        headers = {**ANN, "If-Match": tag} if tag else ANN
        async with here.client.patch(f"{here.url}/shoes/s1", json={"name": "Faster"}, headers=headers) as answer:
            assert answer.status == status


class TestVerbs:
    async def test_a_head_is_a_get_without_its_body(self, here: Running) -> None:
        async with here.client.head(f"{here.url}/shoes", headers=ANN) as answer:
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) > 0
            assert await answer.read() == b""

    async def test_options_say_which_verbs_there_are(self, here: Running) -> None:
        async with here.client.options(f"{here.url}/shoes") as answer:
            assert answer.status == 204
            assert answer.headers["Allow"] == "HEAD, GET, POST, OPTIONS"

    async def test_another_verb_is_not_allowed(self, here: Running) -> None:
        for method in ("DELETE", "PUT", "PATCH", "TRACE", "PROPFIND", "FINISH"):
            async with here.client.request(method, f"{here.url}/shoes", headers=ANN) as answer:
                await problem(answer, 405, "method-not-allowed")
                assert answer.headers["Allow"] == "HEAD, GET, POST, OPTIONS"

    async def test_nothing_is_a_problem_too(self, here: Running) -> None:
        for method in ("GET", "POST", "DELETE"):
            async with here.client.request(method, f"{here.url}/nothing", headers=ANN, data=b"x" * 70_000) as answer:
                await problem(answer, 404, "not-found")

    async def test_no_content(self, here: Running) -> None:
        await send(here.client.post(f"{here.url}/shoes", json={"name": "Swift"}, headers=ANN))
        async with here.client.delete(f"{here.url}/shoes/s1", headers=ANN) as answer:
            assert answer.status == 204
            assert await answer.read() == b""

    async def test_a_format_we_do_not_have(self, here: Running) -> None:
        async with here.client.get(f"{here.url}/shoes", headers={**ANN, "Accept": "text/csv"}) as answer:
            await problem(answer, 406, "not-acceptable")

    async def test_an_unknown_query_is_refused(self, here: Running) -> None:
        for query, name in (
            ("what=1", "what"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("heavy=1&heavy=0", "heavy"),
            ("since=null", "since"),
        ):
            async with here.client.get(f"{here.url}/shoes?{query}", headers=ANN) as answer:
                document = await problem(answer, 422, "invalid")
                assert document["errors"][0]["field"] == name

    async def test_what_nobody_foresaw_is_a_problem_and_a_log(self, here: Running) -> None:
        async with here.client.post(f"{here.url}/shoes", json={"name": "broken"}, headers=ANN) as answer:
            document = await problem(answer, 500, "internal-error")
            assert "shelf" not in str(document)
        here.serving.logs.flush()
        [failed] = [record for record in here.records if record.event == "http.error"]
        assert "the shelf broke" in str(failed)


class TestWhoAsks:
    async def test_nobody(self, here: Running) -> None:
        async with here.client.get(f"{here.url}/shoes") as answer:
            await problem(answer, 401, "unauthenticated")
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("header", ["Bearer unknown", "Basic YTpi", "Bearer", "ann"])
    async def test_a_wrong_token(self, here: Running, header: str) -> None:
        async with here.client.get(f"{here.url}/shoes", headers={"Authorization": header}) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    async def test_a_scope_too_few(self, here: Running) -> None:
        async with here.client.post(f"{here.url}/shoes", json={"name": "x"}, headers=BOB) as answer:
            await problem(answer, 403, "forbidden")
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Origin": "http://evil.test"}, 403),
            ({"Sec-Fetch-Site": "same-origin"}, 201),
            ({"Origin": "SELF"}, 201),
        ],
    )
    async def test_a_cookie_counts_only_on_our_own_pages(
        self, here: Running, headers: dict[str, str], status: int
    ) -> None:
        headers = {name: value.replace("SELF", here.url) for name, value in headers.items()}
        cookies = {"Cookie": "runnerly_access=ann"}
        async with here.client.post(f"{here.url}/shoes", json={"name": "x"}, headers={**headers, **cookies}) as answer:
            assert answer.status == status
        async with here.client.get(f"{here.url}/shoes", headers={**headers, **cookies}) as answer:
            assert answer.status == 200

    async def test_a_bearer_token_wins(self, here: Running) -> None:
        headers = {**BOB, "Cookie": "runnerly_access=ann", "Sec-Fetch-Site": "same-origin"}
        async with here.client.post(f"{here.url}/shoes", json={"name": "x"}, headers=headers) as answer:
            assert answer.status == 403


class TestPages:
    async def test_pages_follow_each_other_to_the_last(self, here: Running) -> None:
        for number in range(5):
            await send(here.client.post(f"{here.url}/shoes", json={"name": f"n{number}"}, headers=ANN))
        names, cursor = [], None
        while True:
            query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            async with here.client.get(f"{here.url}/shoes", params=query, headers=ANN) as answer:
                page = await answer.json()
            names += [shoe["name"] for shoe in page["items"]]
            if (cursor := page["next"]) is None:
                break
        assert names == [f"n{number}" for number in range(5)]

    async def test_a_cursor_is_for_one_list_of_one_person(self, here: Running) -> None:
        for number in range(3):
            await send(here.client.post(f"{here.url}/shoes", json={"name": f"n{number}"}, headers=ANN))
        async with here.client.get(f"{here.url}/shoes?limit=1", headers=ANN) as answer:
            cursor = (await answer.json())["next"]
        for query, headers in (
            ({"cursor": cursor + "A"}, ANN),
            ({"cursor": cursor[:-2]}, ANN),
            ({"cursor": "%%%"}, ANN),
            ({"cursor": ""}, ANN),
            ({"cursor": cursor, "heavy": "true"}, ANN),
            ({"cursor": cursor}, BOB),
        ):
            async with here.client.get(f"{here.url}/shoes", params=query, headers=headers) as answer:
                document = await problem(answer, 422, "invalid")
                assert document["errors"][0]["field"] == "cursor"


class TestIdempotencyKeys:
    async def test_the_same_key_and_input_get_the_same_answer_and_one_effect(self, kept: Running) -> None:
        headers = {**ANN, "Idempotency-Key": "k-1"}
        answers = []
        for _ in range(2):
            async with kept.client.post(f"{kept.url}/shoes", json={"name": "Swift"}, headers=headers) as answer:
                answers.append((answer.status, answer.headers["Location"], answer.headers["Etag"], await answer.read()))
        assert answers[0] == answers[1]
        assert kept.serving.uses.calls == 1

    async def test_another_input_is_refused(self, kept: Running) -> None:
        headers = {**ANN, "Idempotency-Key": "k-1"}
        await send(kept.client.post(f"{kept.url}/shoes", json={"name": "Swift"}, headers=headers))
        async with kept.client.post(f"{kept.url}/shoes", json={"name": "Other"}, headers=headers) as answer:
            await problem(answer, 422, "idempotency-key-reused")

    async def test_a_key_is_a_persons_own(self, kept: Running) -> None:
        for token in ("ann", "eve"):
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k-1"}
            async with kept.client.post(f"{kept.url}/shoes", json={"name": token}, headers=headers) as answer:
                assert answer.status == 201
        assert kept.serving.uses.calls == 2

    async def test_of_many_at_once_one_has_the_effect(self, kept: Running) -> None:
        gate = kept.serving.uses.gate = asyncio.Event()
        headers = {**ANN, "Idempotency-Key": "k-1"}

        async def post() -> tuple[int, str | None]:
            async with kept.client.post(f"{kept.url}/shoes", json={"name": "Swift"}, headers=headers) as answer:
                return answer.status, answer.headers.get("Retry-After")

        asking = [asyncio.create_task(post()) for _ in range(8)]
        await eventually(lambda: sum(each.done() for each in asking) == 7)  # while the one is at it
        gate.set()
        answers = await asyncio.gather(*asking)
        assert sorted(answers, key=lambda pair: pair[0]) == [(201, None), *[(409, "1")] * 7]
        assert kept.serving.uses.calls == 1
        assert (await post())[0] == 201

    @pytest.mark.parametrize("name", ["broken", "refused"])
    async def test_a_failure_frees_the_key(self, kept: Running, name: str) -> None:
        headers = {**ANN, "Idempotency-Key": "k-1"}
        for status in (500, 500) if name == "broken" else (404, 404):
            async with kept.client.post(f"{kept.url}/shoes", json={"name": name}, headers=headers) as answer:
                assert answer.status == status
        assert kept.serving.uses.calls == 2

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
    async def test_a_key_that_is_none(self, kept: Running, key: str) -> None:
        headers = {**ANN, "Idempotency-Key": key}
        async with kept.client.post(f"{kept.url}/shoes", json={"name": "x"}, headers=headers) as answer:
            await problem(answer, 400, "malformed")


class TestEventStreams:
    async def test_events_come_with_their_numbers(self, here: Running) -> None:
        async with here.client.get(f"{here.url}/ticks", headers=ANN) as answer:
            assert answer.content_type == "text/event-stream"
            assert answer.headers["X-Accel-Buffering"] == "no"
            assert await answer.text() == 'id: 1\ndata: {"tick":1}\n\nid: 2\ndata: {"tick":2}\n\n'

    async def test_a_drain_ends_them(self, here: Running) -> None:
        here.serving.uses.slow_s = 60
        async with here.client.get(f"{here.url}/ticks", headers=ANN) as answer:
            await answer.content.readuntil(b"2}\n\n")
            here.serving.requests.draining.set()
            assert await answer.content.read() == b""
        assert await here.serving.requests.finish(30) == 0

    async def test_a_client_that_leaves_is_let_go(self, here: Running) -> None:
        here.serving.uses.slow_s = 60
        async with here.client.get(f"{here.url}/ticks", headers=ANN) as answer:
            await answer.content.readuntil(b"2}\n\n")
            answer.close()
        assert await here.serving.requests.finish(30) == 0


async def test_what_takes_too_long_is_ended_and_frees_its_key(kept: Running) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "slow"}
        async with kept.client.post(f"{kept.url}/slow", json={"name": "x"}, headers=headers) as answer:
            await problem(answer, 503, "unavailable")
            assert "Retry-After" in answer.headers
    kept.serving.logs.flush()
    assert [record.event for record in kept.records].count("http.overtime") == 2
    assert await kept.serving.requests.finish(30) == 0


async def test_the_trace_of_the_caller_is_carried_on(here: Running) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**ANN, "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    await send(here.client.get(f"{here.url}/shoes", headers=headers))
    here.serving.logs.flush()
    [logged] = [record for record in here.records if record.event == "http.request"]
    assert trace in str(logged)


async def test_compression_weakens_the_tag_and_the_version_still_matches(shelf: Shelf) -> None:
    callers = {"ann": runner("ann", READ, WRITE)}
    async with running(ROUTES, uses=shelf, callers=callers, compress=True) as service:
        for number in range(30):
            await send(service.client.post(f"{service.url}/shoes", json={"name": f"n{number}" * 5}, headers=ANN))
        headers = {**ANN, "Accept-Encoding": "gzip"}
        async with service.client.get(f"{service.url}/shoes", headers=headers) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            tag = answer.headers["Etag"]
            assert len((await answer.json())["items"]) == 20
        async with service.client.get(f"{service.url}/shoes", headers={**headers, "If-None-Match": tag}) as answer:
            assert answer.status == 304


async def test_a_database_that_is_away_is_a_503(
    shelf: Shelf, own_mongo: Mongo, own_database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.chassis.mongo.TRANSACTION_TIMEOUT_S", 3.0)
    shelf.database = own_mongo.database("shelf")
    callers = {"ann": runner("ann", READ, WRITE)}
    async with running(ROUTES, uses=shelf, callers=callers, database=shelf.database) as service:
        own_database_server.kill()

        async def refused(headers: dict[str, str]) -> None:
            async with service.client.post(f"{service.url}/shoes", json={"name": "Swift"}, headers=headers) as answer:
                await problem(answer, 503, "database-away")
                assert "Retry-After" in answer.headers

        await asyncio.gather(refused({**ANN, "Idempotency-Key": "k-1"}), refused(ANN))
        own_database_server.start()
        monkeypatch.undo()
        await answers(own_mongo)
        headers = {**ANN, "Idempotency-Key": "k-1"}
        async with service.client.post(f"{service.url}/shoes", json={"name": "Swift"}, headers=headers) as answer:
            assert answer.status == 201
