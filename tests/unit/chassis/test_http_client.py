"""The HTTP client against parties that are slow, broken, flapping or hanging, on real sockets."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate
from typing import Any

import pytest
from msgspec import Struct
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from services.chassis import context
from services.chassis.breaker import Breaker
from services.chassis.http_client import HttpClient, PeerRefused, PeerUnavailable
from services.chassis.problems import headers_of, status_of
from tests.support.party import (
    Asked,
    answer,
    answer_and_close,
    break_off,
    close_silently,
    hang,
    party,
)
from tests.support.processes import free_port
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.waiting import eventually


class Told:
    """What the client measured and logged."""

    def __init__(self) -> None:
        self.metrics = RecordedMetrics()
        self.logs = RecordedLogs()

    def endings(self) -> list[str]:
        return [str(sample.labels["outcome"]) for sample in self.metrics.named("outgoing.call")]

    def retries(self) -> int:
        return len(self.metrics.named("outgoing.retry"))


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    told.logs.close()


class Clock:
    """What circuits go by, which stands still however long a test takes."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(told: Told, clock: Clock) -> AsyncIterator[HttpClient]:
    breaker = functools.partial(Breaker, failures=4, open_s=30, monotonic=clock)
    client = HttpClient("testing", told.metrics, told.logs.logger(), new_breaker=breaker)
    yield client
    await client.close()


def in_a_request(timeout_s: float) -> context.RequestContext:
    """What this test does now it does for a request that has so much time."""
    context.enter(begun := context.begin(None, timeout_s=timeout_s))
    return begun


class Thing(Struct):
    name: str


async def test_it_sends_json_and_reads_it(client: HttpClient, told: Told) -> None:
    async with party(answer(201, b'{"name": "shoe", "more": 1}', X_Thing="yes")) as there:
        response = await client.request("POST", f"{there.url}/things", party="shop", json={"size": 42})
    assert (response.status, response.headers["x-thing"]) == (201, "yes")
    assert response.json(Thing) == Thing("shoe")
    assert (there.asked[0].body, there.asked[0].headers["content-type"]) == (b'{"size":42}', "application/json")
    assert told.endings() == ["ok"]


async def test_it_sends_forms(client: HttpClient) -> None:
    async with party() as there:
        await client.request("POST", there.url, party="shop", form={"grant": "a b", "x": "ü&"})
    assert there.asked[0].body == b"grant=a+b&x=%C3%BC%26"
    assert there.asked[0].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_connections_are_kept(client: HttpClient) -> None:
    async with party() as there:
        for _ in range(5):
            await client.request("GET", there.url, party="shop")
    assert there.connections == 1


async def test_many_at_once_are_not_held_back_by_a_pool(client: HttpClient) -> None:
    all_there = asyncio.Event()

    async def together(_: Asked, writer: asyncio.StreamWriter) -> None:
        if len(there.asked) == 150:
            all_there.set()
        await all_there.wait()
        writer.write(answer())

    async with party(together) as there:
        await asyncio.gather(*(client.request("GET", there.url, party="shop", timeout_s=60) for _ in range(150)))
    assert there.connections == 150


async def test_nested_calls_through_one_client_do_not_deadlock(client: HttpClient) -> None:
    class Nested(RequestHandler):
        async def get(self) -> None:
            depth = int(self.get_query_argument("depth"))
            if depth:
                await client.request("GET", f"{url}?depth={depth - 1}", party="self")

    server = HTTPServer(Application([("/", Nested)]))
    sockets = bind_sockets(0, "127.0.0.1")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"
    server.add_sockets(sockets)
    responses = await asyncio.gather(*(client.request("GET", f"{url}?depth=10", party="self") for _ in range(20)))
    assert {response.status for response in responses} == {200}
    server.stop()
    await client.close()
    await server.close_all_connections()


async def test_the_trace_and_the_time_left_go_with_it(client: HttpClient) -> None:
    begun = in_a_request(timeout_s=20)
    async with party() as there:
        await client.request("GET", there.url, party="shop", timeout_s=40)
    assert there.asked[0].headers["traceparent"] == begun.traceparent
    assert 0 < int(there.asked[0].headers["x-request-timeout-ms"]) <= 20_000


async def test_outside_a_request_its_own_timeout_counts(client: HttpClient) -> None:
    async with party() as there:
        await client.request("GET", there.url, party="shop", timeout_s=40)
    assert "traceparent" not in there.asked[0].headers
    assert 20_000 < int(there.asked[0].headers["x-request-timeout-ms"]) <= 40_000


async def test_a_hanging_party_costs_no_more_than_the_time_there_is(client: HttpClient) -> None:
    async with party(hang) as there:
        started = time.monotonic()
        in_a_request(timeout_s=0.3)
        with pytest.raises(PeerUnavailable) as caught:
            await client.request("GET", there.url, party="shop", timeout_s=25)
        assert 0.2 < time.monotonic() - started < 20
    assert (caught.value.reason, status_of(type(caught.value))) == ("timeout", 503)


async def test_without_time_left_no_call_is_made(client: HttpClient) -> None:
    in_a_request(timeout_s=0)
    async with party() as there:
        with pytest.raises(PeerUnavailable):
            await client.request("GET", there.url, party="shop")
    assert there.asked == []


async def test_our_haste_is_not_held_against_the_party(client: HttpClient) -> None:
    async with party(hang) as there:
        for _ in range(6):
            context.enter(context.begin(None, timeout_s=0.02))
            with pytest.raises(PeerUnavailable):
                await client.request("GET", there.url, party="shop", timeout_s=5)
        context._current.set(None)
        assert client.state("shop") == "closed"
        for _ in range(4):
            with pytest.raises(PeerUnavailable):
                await client.request("GET", there.url, party="shop", timeout_s=0.3)
        assert client.state("shop") == "open"


@pytest.mark.parametrize("trouble", [close_silently, break_off, answer(503), answer(502, Retry_After="0")])
async def test_an_idempotent_call_is_repeated(trouble: Any, client: HttpClient, told: Told) -> None:
    async with party(trouble, answer(body=b"fine")) as there:
        response = await client.request("GET", there.url, party="shop")
    assert response.body == b"fine"
    assert (told.logs.events, told.endings(), len(there.asked)) == ([], ["ok"], 2)


@pytest.mark.parametrize("trouble", [close_silently, break_off, answer(503), answer(500), answer(429)])
async def test_a_post_is_made_once(trouble: Any, client: HttpClient) -> None:
    async with party(trouble) as there:
        try:
            response = await client.request("POST", there.url, party="shop", json={})
            assert response.status == 429
        except PeerUnavailable:
            pass
        assert len(there.asked) == 1


async def test_a_post_with_an_idempotency_key_is_repeated_and_keeps_it(client: HttpClient) -> None:
    async with party(answer(503), answer(201)) as there:
        response = await client.request("POST", there.url, party="bank", json={}, headers={"Idempotency-Key": "k"})
    assert response.status == 201
    assert [asked.headers["idempotency-key"] for asked in there.asked] == ["k", "k"]


async def test_repeating_is_bounded(client: HttpClient, told: Told) -> None:
    async with party(answer(503)) as there:
        with pytest.raises(PeerUnavailable) as caught:
            await client.request("GET", there.url, party="shop")
    assert len(there.asked) == 3
    assert (caught.value.reason, caught.value.status, str(caught.value)) == ("failing", 503, "failing (503)")
    assert (told.logs.events, told.retries()) == (["outgoing.failed"], 2)
    assert told.logs.fields("outgoing.failed")["attempts"] == 3


async def test_a_500_is_a_bug_over_there_that_repeating_does_not_mend(client: HttpClient) -> None:
    async with party(answer(500)) as there:
        for _ in range(6):
            with pytest.raises(PeerUnavailable):
                await client.request("GET", there.url, party="shop")
    assert len(there.asked) == 6
    assert client.state("shop") == "closed"


@pytest.mark.parametrize("when", ["1", "date"])
async def test_retry_after_is_honoured(when: str, client: HttpClient) -> None:
    started = time.monotonic()
    value = formatdate(time.time() + 2, usegmt=True) if when == "date" else when
    async with party(answer(429, Retry_After=value), answer()) as there:
        response = await client.request("GET", there.url, party="shop", timeout_s=60)
    assert response.status == 200
    assert time.monotonic() - started >= 0.9


async def test_a_retry_after_beyond_the_deadline_is_told_instead(client: HttpClient) -> None:
    async with party(answer(503, Retry_After="60")) as there:
        started = time.monotonic()
        with pytest.raises(PeerUnavailable) as caught:
            await client.request("GET", there.url, party="shop")
    assert len(there.asked) == 1
    assert time.monotonic() - started < 30
    assert headers_of(caught.value)["Retry-After"] == "60"


async def test_nobody_listening_is_unreachable_and_safe_to_repeat(client: HttpClient, told: Told) -> None:
    with pytest.raises(PeerUnavailable) as caught:
        await client.request("POST", f"http://127.0.0.1:{free_port()}", party="shop", json={})
    assert caught.value.reason == "unreachable"
    assert (told.endings(), told.retries()) == (["failed"], 2)


async def test_a_connection_closed_while_idle_is_replaced(client: HttpClient) -> None:
    async with party(answer_and_close) as there:
        for _ in range(5):
            assert (await client.request("POST", there.url, party="shop", json={})).status == 200
            await asyncio.sleep(0.01)
    assert there.connections == 5


async def test_a_dead_party_is_left_alone_then_probed(client: HttpClient, told: Told, clock: Clock) -> None:
    async with party(*[answer(503)] * 5, answer()) as there:
        for _ in range(2):
            with pytest.raises(PeerUnavailable):
                await client.request("GET", there.url, party="shop")
        assert len(there.asked) == 4
        with pytest.raises(PeerUnavailable) as caught:
            await client.request("GET", there.url, party="shop")
        assert (caught.value.reason, len(there.asked)) == ("open", 4)
        assert (await client.request("GET", there.url, party="another")).status in {200, 503}
        clock.now += 40
        assert (await client.request("GET", there.url, party="shop")).status == 200
    assert client.state("shop") == "closed"
    assert [event for event in told.logs.events if event.startswith("breaker")] == ["breaker.opened", "breaker.closed"]


async def test_a_cancelled_call_lets_the_next_probe_through(client: HttpClient, told: Told, clock: Clock) -> None:
    async with party(*[answer(503)] * 4, hang, answer()) as there:
        for _ in range(2):
            with pytest.raises(PeerUnavailable):
                await client.request("GET", there.url, party="shop")
        clock.now += 40
        probe = asyncio.create_task(client.request("GET", there.url, party="shop"))
        await eventually(lambda: len(there.asked) == 5)
        assert client.state("shop") == "half-open"
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert (await client.request("GET", there.url, party="shop")).status == 200
    assert "cancelled" in told.endings()


async def test_an_answer_over_the_limit_is_refused(client: HttpClient) -> None:
    async with party(answer(body=b"x" * 2000)) as there:
        with pytest.raises(PeerUnavailable) as caught:
            await client.request("GET", there.url, party="shop", max_bytes=1999)
        assert caught.value.reason == "too-large"
        assert len((await client.request("GET", there.url, party="shop", max_bytes=2000)).body) == 2000


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": 1}', b'{"name": "\xff"}', b"[" * 100_000])
async def test_an_unreadable_answer_is_the_partys_fault(body: bytes, client: HttpClient) -> None:
    async with party(answer(body=body)) as there:
        response = await client.request("GET", there.url, party="shop")
    with pytest.raises(PeerUnavailable) as caught:
        response.json(Thing)
    assert caught.value.reason == "unreadable"


async def test_a_refusal_carries_its_problem(client: HttpClient) -> None:
    problem = b'{"type": "/problems/sold-out", "status": 409, "left": 0}'
    async with party(answer(409, problem, Content_Type="application/problem+json")) as there:
        response = await client.request("POST", there.url, party="hotels", json={})
    with pytest.raises(PeerRefused) as caught:
        response.accepted()
    assert (caught.value.status, caught.value.type, caught.value.document["left"]) == (409, "/problems/sold-out", 0)
    assert (str(caught.value), status_of(type(caught.value))) == ("hotels refused: 409 /problems/sold-out", 500)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]"])
async def test_a_refusal_without_a_problem_is_one_too(body: bytes, client: HttpClient) -> None:
    async with party(answer(404, body)) as there:
        response = await client.request("GET", there.url, party="hotels")
    with pytest.raises(PeerRefused) as caught:
        response.accepted()
    assert (caught.value.status, caught.value.type) == (404, "about:blank")


async def test_redirects_are_not_followed(client: HttpClient) -> None:
    async with party(answer(302, Location="http://169.254.169.254/")) as there:
        assert (await client.request("GET", there.url, party="shop")).status == 302
    assert len(there.asked) == 1


async def test_cookies_are_not_kept(client: HttpClient) -> None:
    async with party(answer(Set_Cookie="a=b")) as there:
        await client.request("GET", there.url, party="shop")
        await client.request("GET", there.url, party="shop")
    assert "cookie" not in there.asked[1].headers


async def test_a_large_upload_is_sent_from_an_iterable(client: HttpClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    async with party() as there:
        response = await client.request("PUT", there.url, party="shop", content=pieces())
        assert response.status == 200
        await client.request("PUT", there.url, party="shop", content=b"y" * 2_000_000)
    assert [len(asked.body) for asked in there.asked] == [2_000_000, 2_000_000]


async def test_a_streamed_upload_is_never_repeated(client: HttpClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    async with party(answer(503)) as there:
        with pytest.raises(PeerUnavailable):
            await client.request("PUT", there.url, party="shop", content=pieces())
    assert len(there.asked) == 1


async def test_an_answer_is_read_as_it_comes(client: HttpClient, told: Told) -> None:
    async def dribble(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        for piece in (b"one", b"two", b"six"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.8)

    async with (
        party(dribble) as there,
        client.stream("GET", there.url, party="shop", timeout_s=0.7) as response,
    ):
        pieces = [piece async for piece in (await response.accepted()).chunks()]
    assert len(pieces) == 3
    assert b"".join(pieces) == b"onetwosix"
    assert told.endings() == ["ok"]


async def test_a_stream_that_breaks_off_says_so(client: HttpClient, told: Told) -> None:
    async with party(break_off) as there:
        with pytest.raises(PeerUnavailable) as caught:
            async with client.stream("GET", there.url, party="shop") as response:
                assert [piece async for piece in response.chunks()] == [b"half"]
    assert caught.value.reason == "broken"
    assert told.endings() == ["failed"]


async def test_a_stream_over_its_limit_and_a_refused_one(client: HttpClient) -> None:
    async with party(answer(body=b"x" * 100), answer(404, b'{"type": "/problems/not-found"}')) as there:
        with pytest.raises(PeerUnavailable):
            async with client.stream("GET", there.url, party="shop", max_bytes=10) as response:
                [piece async for piece in response.chunks()]
        with pytest.raises(PeerRefused, match="not-found"):
            async with client.stream("GET", there.url, party="shop") as response:
                await response.accepted()


async def test_our_own_trouble_with_a_stream_stays_ours(client: HttpClient) -> None:
    async def fill_the_disk(url: str) -> None:
        async with client.stream("GET", url, party="shop") as response:
            async for _ in response.chunks():
                raise OSError("disk full")

    async with party() as there:
        with pytest.raises(OSError, match="disk full"):
            await fill_the_disk(there.url)
        assert client.state("shop") == "closed"


async def test_a_client_that_was_closed_opens_nothing_again(client: HttpClient) -> None:
    """A handler of the bus may outlive its service's client for a moment, at the drain."""
    await client.close()

    with pytest.raises(PeerUnavailable):
        await client.request("POST", f"http://127.0.0.1:{free_port()}/", party="party")

    assert client._session is None
