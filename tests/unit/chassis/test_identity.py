"""How a service proves who it is, keeps its tokens, and calls its peers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt as jose
from joserfc.jwk import ECKey
from msgspec import Struct

from services.chassis.http_client import HttpClient, PeerRefused, PeerUnavailable
from services.chassis.identity import Identity, Peer, read_service_key
from services.chassis.settings import WrongSetting
from tests.support.party import Asked, Party, answer, party
from tests.support.recorded import RecordedLogs, RecordedMetrics
from tests.support.waiting import eventually, eventually_is

KEY = ec.generate_private_key(ec.SECP256R1())


class Thing(Struct):
    name: str


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    logs = RecordedLogs()
    client = HttpClient("accounts", RecordedMetrics(), logs.logger())
    yield client
    await client.close()
    logs.close()


class Clock:
    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


def identity(client: HttpClient, dealer: Party, clock: Clock | None = None) -> Identity:
    clock = clock or Clock()
    endpoint = f"{dealer.url}/oauth/token"
    return Identity("accounts", lambda: KEY, issuer="http://runnerly.test", endpoint=endpoint, http=client, clock=clock)


def issued(token: str, expires_in: int = 300) -> bytes:
    return answer(body=f'{{"access_token": "{token}", "token_type": "Bearer", "expires_in": {expires_in}}}'.encode())


def form(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


async def test_it_asks_with_an_assertion_that_anybody_can_verify(client: HttpClient) -> None:
    async with party(issued("t1")) as dealer:
        assert await identity(client, dealer).token("mailer") == "t1"
    asked = form(dealer.asked[0])
    assert (asked["grant_type"], asked["audience"], asked["scope"]) == ("client_credentials", "mailer", "service")
    claims = jose.decode(asked["client_assertion"], ECKey.import_key(KEY.public_key()), algorithms=["ES256"]).claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("accounts", "accounts", "http://runnerly.test")
    assert 0 < claims["exp"] - time.time() <= 60


async def test_each_assertion_is_for_one_use(client: HttpClient) -> None:
    async with party() as dealer:
        mine = identity(client, dealer)
    both = [jwt.decode(mine.assertion(), options={"verify_signature": False})["jti"] for _ in range(2)]
    assert both[0] != both[1]


async def test_a_token_is_kept_for_each_audience(client: HttpClient) -> None:
    async with party(issued("t1"), issued("t2"), issued("t3")) as dealer:
        mine = identity(client, dealer)
        got = [await mine.token(name) for name in ("mailer", "mailer", "activities", "mailer")]
    assert got == ["t1", "t1", "t2", "t1"]


async def test_many_at_once_ask_once(client: HttpClient) -> None:
    async with party(issued("t1"), issued("t2")) as dealer:
        mine = identity(client, dealer)
        got = await asyncio.gather(*(mine.token("mailer") for _ in range(20)))
    assert set(got) == {"t1"}


async def test_it_is_renewed_in_the_background_before_it_expires(client: HttpClient) -> None:
    clock = Clock()
    async with party(issued("t1"), issued("t2")) as dealer:
        mine = identity(client, dealer, clock)
        await mine.token("mailer")
        clock.ahead_s = 250
        assert await mine.token("mailer") == "t1"
        await eventually_is("t2", lambda: mine.token("mailer"))


async def test_a_tokendealer_that_is_away_does_no_harm_while_the_token_is_good(client: HttpClient) -> None:
    clock = Clock()
    async with party(issued("t1"), answer(503), answer(503), issued("t2")) as dealer:
        mine = identity(client, dealer, clock)
        await mine.token("mailer")
        clock.ahead_s = 250
        assert await mine.token("mailer") == "t1"
        await eventually(lambda: len(dealer.asked) == 2)
        await eventually(lambda: not mine._flight("mailer").running)
        clock.ahead_s = 299
        with pytest.raises(PeerUnavailable):
            await mine.token("mailer")
        assert await mine.token("mailer") == "t2"


async def test_a_service_that_is_not_known_hears_so(client: HttpClient) -> None:
    async with party(answer(401, b'{"error": "invalid_client"}')) as dealer:
        with pytest.raises(PeerRefused, match="invalid_client"):
            await identity(client, dealer).token("mailer")


def peer(client: HttpClient, dealer: Party, mailer: Party) -> Peer:
    return Peer(client, identity(client, dealer), "mailer", mailer.url)


async def test_a_peer_is_called_with_our_token_and_typed(client: HttpClient) -> None:
    async with (
        party(issued("t1")) as dealer,
        party(answer(200, b'{"name": "x"}'), answer(201), answer(204, b"")) as mailer,
    ):
        there = peer(client, dealer, mailer)
        assert await there.get("/internal/v1/things/1", type=Thing) == Thing("x")
        assert await there.post("/internal/v1/things", json={"name": "x"}, key="k") is None
        await there.delete("/internal/v1/things/1")
    assert {asked.headers["authorization"] for asked in mailer.asked} == {"Bearer t1"}
    assert mailer.asked[1].headers["idempotency-key"] == "k"
    assert [(asked.method, asked.path) for asked in mailer.asked] == [
        ("GET", "/internal/v1/things/1"),
        ("POST", "/internal/v1/things"),
        ("DELETE", "/internal/v1/things/1"),
    ]


async def test_a_refused_token_is_replaced_once(client: HttpClient) -> None:
    async with party(issued("t1"), issued("t2")) as dealer, party(answer(401), answer(200, b'{"name": "x"}')) as mailer:
        assert await peer(client, dealer, mailer).get("/things", type=Thing) == Thing("x")
    assert [asked.headers["authorization"] for asked in mailer.asked] == ["Bearer t1", "Bearer t2"]
    async with party(issued("t1")) as dealer, party(answer(401)) as mailer:
        with pytest.raises(PeerRefused):
            await peer(client, dealer, mailer).get("/things", type=Thing)
    assert len(mailer.asked) == 2


async def test_a_peers_refusal_says_which(client: HttpClient) -> None:
    async with party(issued("t1")) as dealer, party(answer(404, b'{"type": "/problems/not-found"}')) as mailer:
        with pytest.raises(PeerRefused) as caught:
            await peer(client, dealer, mailer).delete("/things/1")
        assert (caught.value.status, caught.value.type) == (404, "/problems/not-found")
        with pytest.raises(PeerRefused):
            async with peer(client, dealer, mailer).stream("/things/1"):
                pass


async def test_something_large_is_streamed(client: HttpClient) -> None:
    async with (
        party(issued("t1")) as dealer,
        party(answer(200, b"x" * 300_000)) as mailer,
        peer(client, dealer, mailer).stream("/people/1") as response,
    ):
        assert sum([len(chunk) async for chunk in response.chunks()]) == 300_000


@pytest.mark.parametrize("content", [None, b"", b"rubbish", "rsa"])
def test_a_missing_or_wrong_key_says_what_to_do(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "accounts.pem"
    if content == "rsa":
        key = rsa.generate_private_key(65537, 2048)
        content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WrongSetting, match="keys bootstrap"):
        read_service_key(path)
