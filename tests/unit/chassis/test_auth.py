"""What the verifier accepts, and the attacks that it refuses."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt as jose
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from services.chassis import auth
from services.chassis.auth import REQUIRED_CLAIMS, BadToken, JwkSet, Keys, Verifier
from services.chassis.problems import Unavailable, headers_of
from tests.support.recorded import RecordedLogs
from tests.support.signing import ISSUER, Issuer, new_key, segment
from tests.support.waiting import eventually


class Clock:
    """A monotonic clock that goes where the test puts it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("k1", "k2")


@pytest.fixture
def verifier(issuer: Issuer) -> Verifier:
    return Verifier(ISSUER, Keys(issuer.jwks), "runnerly-api")


async def test_a_persons_token_tells_who_asks_and_what_they_may(issuer: Issuer, verifier: Verifier) -> None:
    caller = await verifier.verify(issuer.token(sid="family-1", scope="activities:read account made:up"))
    assert (caller.sub, caller.kind, caller.client_id, caller.session) == ("runner-1", "person", "runnerly", "family-1")
    assert caller.scopes == {"activities:read", "account"}


async def test_a_services_token_is_for_the_service_it_calls(issuer: Issuer) -> None:
    verifier = Verifier(ISSUER, Keys(issuer.jwks), "tokendealer")
    caller = await verifier.verify(issuer.token(aud="tokendealer", scope="service", sub="accounts"))
    assert (caller.kind, caller.sub) == ("service", "accounts")
    with pytest.raises(BadToken):
        await verifier.verify(issuer.token(aud="activities", scope="service", sub="accounts"))


async def test_a_token_of_an_independent_library_verifies(issuer: Issuer, verifier: Verifier) -> None:
    key = RSAKey.import_key(issuer.keys["k1"])
    token = jose.encode({"alg": "RS256", "typ": "at+jwt", "kid": "k1"}, issuer.claims(), key)
    assert (await verifier.verify(token)).sub == "runner-1"


def public_pem(issuer: Issuer) -> bytes:
    return issuer.keys["k1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hmac_by(secret: bytes, issuer: Issuer, alg: str = "HS256", **header: Any) -> str:
    """A token authenticated by what everybody may read, or by what a `kid` leads to."""
    signed = segment({"alg": alg, "typ": "at+jwt", "kid": "k1"} | header) + "." + segment(issuer.claims())
    return signed + "." + segment(hmac.new(secret, signed.encode(), hashlib.sha256).digest())


def signed_as_it_is(
    issuer: Issuer, payload: bytes, header: bytes = b'{"alg":"RS256","typ":"at+jwt","kid":"k1"}'
) -> str:
    """Really signed by us, whatever it says: what a tokendealer with a mistake in it might hand out."""
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{segment(issuer.keys['k1'].sign(signed.encode(), PKCS1v15(), SHA256()))}"


def said_twice(issuer: Issuer, name: str, first: str) -> str:
    """A claim twice: one that a careless reader takes, and the right one."""
    return signed_as_it_is(
        issuer, json.dumps({name: first}).encode()[:-1] + b"," + json.dumps(issuer.claims()).encode()[1:]
    )


def unsigned(issuer: Issuer, alg: str = "none") -> str:
    return segment({"alg": alg, "typ": "at+jwt", "kid": "k1"}) + "." + segment(issuer.claims()) + "."


def own_key_in_header(issuer: Issuer, name: str) -> str:
    mallory = Issuer("k1")
    hints: dict[str, Any] = {
        "jwk": mallory.jwk("k1"),
        "jku": "http://evil.test/jwks",
        "x5u": "http://evil.test/x",
        "x5c": ["MII"],
        "kid": "http://evil.test/jwks#k1",
    }
    return mallory.token(header={name: hints[name]})


def changed_payload(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    return ".".join([header, segment(issuer.claims(sub="admin", scope="admin")), signature])


def without_header_check(header: bytes, issuer: Issuer) -> str:
    return segment(header) + "." + segment(issuer.claims()) + ".AAAA"


def now() -> int:
    return int(time.time())


ATTACKS: dict[str, Callable[[Issuer], str]] = {
    "empty": lambda _: "",
    "not a token": lambda _: "not-a-token",
    "two parts": lambda i: ".".join(i.token().split(".")[:2]),
    "four parts": lambda i: i.token() + ".AAAA",
    "letters beyond ASCII": lambda _: "a.b.ü\udce4",
    "none": unsigned,
    "None, spelt otherwise": lambda i: unsigned(i, "nOnE"),
    "RS256 without a signature": lambda i: unsigned(i, "RS256"),
    "HS256 with the public key": lambda i: hmac_by(public_pem(i), i),
    "HS256 with the public key, in one line": lambda i: hmac_by(public_pem(i).strip(), i),
    "HS256 with the published key": lambda i: hmac_by(json.dumps(i.jwk("k1")).encode(), i),
    "HS256 with nothing": lambda i: hmac_by(b"", i),
    "HS256 with the empty file that kid names": lambda i: hmac_by(b"", i, kid="../../../../dev/null"),
    "HMAC called RS256": lambda i: hmac_by(public_pem(i), i, alg="RS256"),
    "ES256 of nothing but zeros": lambda i: hmac_by(b"", i, alg="ES256").rpartition(".")[0] + "." + segment(bytes(64)),
    "algorithm in small letters": lambda i: signed_as_it_is(
        i, json.dumps(i.claims()).encode(), b'{"alg":"rs256","typ":"at+jwt","kid":"k1"}'
    ),
    "several algorithms": lambda i: without_header_check(b'{"alg":["RS256"],"typ":"at+jwt","kid":"k1"}', i),
    "no algorithm": lambda i: without_header_check(b'{"typ":"at+jwt","kid":"k1"}', i),
    "algorithm twice": lambda i: signed_as_it_is(
        i, json.dumps(i.claims()).encode(), b'{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"k1"}'
    ),
    "encrypted": lambda _: ".".join([segment({"alg": "dir", "enc": "A256GCM"}), "", "AAAA", "AAAA", "AAAA"]),
    "RS512, not in our list": lambda i: i.token(alg="RS512"),
    "PS256, not in our list": lambda i: i.token(alg="PS256"),
    "signed by a stranger": lambda i: i.token(key=new_key()),
    "signed by another of our keys": lambda i: i.token(kid="k1", key=i.keys["k2"]),
    "payload changed": changed_payload,
    "jwk in the header": lambda i: own_key_in_header(i, "jwk"),
    "jku in the header": lambda i: own_key_in_header(i, "jku"),
    "x5u in the header": lambda i: own_key_in_header(i, "x5u"),
    "x5c in the header": lambda i: own_key_in_header(i, "x5c"),
    "no kid": lambda i: i.token(kid=None),
    "unknown kid": lambda i: i.token(header={"kid": "k9"}),
    "kid is a path": lambda i: i.token(header={"kid": "../../../dev/null"}),
    "kid is a query": lambda i: i.token(header={"kid": "' OR 1=1 --"}),
    "kid is a query that answers with a key": lambda i: hmac_by(b"key", i, kid="x' UNION SELECT 'key"),
    "kid is an address": lambda i: own_key_in_header(i, "kid"),
    "kid with a null": lambda i: i.token(header={"kid": "k1\0"}),
    "kid is another key's too": lambda i: i.token(header={"kid": "k1 k2"}),
    "kid is empty": lambda i: i.token(header={"kid": ""}),
    "kid is a number": lambda i: without_header_check(b'{"alg":"RS256","typ":"at+jwt","kid":1}', i),
    "kid is an object": lambda i: without_header_check(b'{"alg":"RS256","typ":"at+jwt","kid":{"$ne":null}}', i),
    "header is a list": lambda i: without_header_check(b"[]", i),
    "header nested deeply": lambda i: without_header_check(b'{"a":' + b"[" * 5000, i),
    "critical extension": lambda i: i.token(header={"crit": ["exp"], "exp": 1}),
    "nothing critical": lambda i: without_header_check(b'{"alg":"RS256","typ":"at+jwt","kid":"k1","crit":[]}', i),
    "unencoded payload": lambda i: i.token(header={"crit": ["b64"], "b64": True}),
    "an id token": lambda i: i.token(header={"typ": "JWT"}),
    "no typ": lambda i: without_header_check(b'{"alg":"RS256","kid":"k1"}', i),
    "typ is a list": lambda i: i.token(header={"typ": ["at+jwt"]}),
    "a client's assertion": lambda i: i.token(header={"typ": "client-authentication+jwt"}),
    "issuer with a slash": lambda i: i.token(iss=f"{ISSUER}/"),
    "several issuers": lambda i: signed_as_it_is(i, json.dumps(i.claims(iss=[ISSUER, "http://evil.test"])).encode()),
    "issuer twice": lambda i: said_twice(i, "iss", "http://evil.test"),
    "subject twice": lambda i: said_twice(i, "sub", "admin"),
    "another issuer": lambda i: i.token(iss="http://evil.test"),
    "no issuer": lambda i: i.token(iss=None),
    "another audience": lambda i: i.token(aud="someone-else"),
    "no audience": lambda i: i.token(aud=None),
    "audience in other letters": lambda i: i.token(aud="Runnerly-API"),
    "several audiences": lambda i: i.token(aud=["runnerly-api", "evil"]),
    "a service's token at the public door": lambda i: i.token(scope="service"),
    "expired": lambda i: i.token(exp=now() - 60),
    "never expires": lambda i: i.token(exp=None),
    "expires in words": lambda i: i.token(exp="tomorrow"),
    "expires at infinity": lambda i: i.token(exp=float("inf")),
    "expires at no number": lambda i: i.token(exp=float("nan")),
    "not yet valid": lambda i: i.token(nbf=now() + 600),
    "issued in the future": lambda i: i.token(iat=now() + 600),
    "issued never": lambda i: i.token(iat=None),
    "no subject": lambda i: i.token(sub=None),
    "subject is an object": lambda i: i.token(sub={"$gt": ""}),
    "no jti": lambda i: i.token(jti=None),
    "no client": lambda i: i.token(client_id=None),
    "claims are a list": lambda i: signed_as_it_is(i, b"[]"),
    "claims are no JSON": lambda i: signed_as_it_is(i, b"{"),
    "claims nested deeply": lambda i: signed_as_it_is(i, b'{"a":' + b"[" * 5000),
    "scope is a list": lambda i: i.token(scope=["admin"]),
    "oversized": lambda i: i.token(padding="x" * 9000),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_is_refused(attack: str, issuer: Issuer, verifier: Verifier) -> None:
    token = ATTACKS[attack](issuer)
    with pytest.raises(BadToken) as caught:
        await verifier.verify(token)
    assert headers_of(caught.value)["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert verifier.cached(token) is None


# Another library reads these as the RFCs leave open, or leaves them to its user: the type of the token, the length, what our
# scopes mean, and that names come once.
LEFT_TO_US = {
    "an id token",
    "a client's assertion",
    "no typ",
    "typ is a list",
    "several audiences",
    "a service's token at the public door",
    "scope is a list",
    "issuer twice",
    "subject twice",
    "algorithm twice",
    "oversized",
}


def checked_by_another_library(token: str, issuer: Issuer) -> None:
    """Raises where joserfc, told the same rules, does not take this token."""
    keys = KeySet.import_key_set({"keys": [issuer.jwk(kid) for kid in issuer.keys]})  # type: ignore[arg-type,typeddict-item,list-item]
    decoded = jose.decode(token, keys, algorithms=["RS256"])
    rules: dict[str, Any] = {name: {"essential": True} for name in REQUIRED_CLAIMS}
    rules["iss"]["value"], rules["aud"]["value"] = ISSUER, "runnerly-api"
    jose.JWTClaimsRegistry(leeway=auth.LEEWAY_S, **rules).validate(decoded.claims)
    msgspec.convert(decoded.claims, auth.Claims)


@pytest.mark.parametrize("attack", sorted(ATTACKS.keys() - LEFT_TO_US))
def test_another_library_refuses_it_too(attack: str, issuer: Issuer) -> None:
    """So the table holds attacks, not mistakes in how it was written."""
    checked_by_another_library(issuer.token(), issuer)
    with pytest.raises((JoseError, ValueError, RecursionError)):
        checked_by_another_library(ATTACKS[attack](issuer), issuer)


async def test_the_longer_name_of_the_type_is_as_good(issuer: Issuer, verifier: Verifier) -> None:
    """RFC 9068, 4."""
    assert await verifier.verify(issuer.token(header={"typ": "application/at+jwt"}))


async def test_a_slightly_slow_clock_is_forgiven(issuer: Issuer, verifier: Verifier) -> None:
    assert await verifier.verify(issuer.token(iat=now() + 3, nbf=now() + 3))
    assert await verifier.verify(issuer.token(exp=now() - 2))


async def test_a_verified_token_is_remembered_until_it_expires(issuer: Issuer) -> None:
    clock = Clock()
    clock.now = time.time()
    verifier = Verifier(ISSUER, Keys(issuer.jwks), "runnerly-api", clock=clock)
    token = issuer.token()
    assert verifier.cached(token) is None
    caller = await verifier.verify(token)
    assert verifier.cached(token) == caller
    assert verifier.cached(token[:-1]) is None
    clock.now += 301
    assert verifier.cached(token) is None


async def test_a_token_of_somebody_who_was_deleted_is_refused_though_it_was_verified_before(issuer: Issuer) -> None:
    deleted: set[str] = set()
    verifier = Verifier(ISSUER, Keys(issuer.jwks), "runnerly-api", departed=deleted.__contains__)
    token = issuer.token()
    caller = await verifier.verify(token)
    deleted.add(caller.sub)
    assert verifier.cached(token) is None
    for refused in (token, issuer.token()):
        with pytest.raises(BadToken, match="deleted"):
            await verifier.verify(refused)


async def test_what_is_remembered_is_bounded(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_CACHED", 3)
    verifier = Verifier(ISSUER, Keys(issuer.jwks), "runnerly-api")
    tokens = [issuer.token() for _ in range(5)]
    for token in tokens:
        await verifier.verify(token)
    assert [verifier.cached(token) is not None for token in tokens] == [False, False, True, True, True]


async def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    issuer, clock = Issuer("k1"), Clock()
    verifier = Verifier(ISSUER, Keys(issuer.jwks, monotonic=clock), "runnerly-api")
    await verifier.verify(issuer.token())
    issuer.keys["k2"] = new_key()
    clock.now += 6
    assert await verifier.verify(issuer.token(kid="k2"))
    assert issuer.fetches == 2


async def test_invented_key_ids_cost_the_tokendealer_one_call_in_a_while(issuer: Issuer) -> None:
    clock, fetches = Clock(), issuer.fetches
    verifier = Verifier(ISSUER, Keys(issuer.jwks, monotonic=clock), "runnerly-api")
    for number in range(50):
        with pytest.raises(BadToken):
            await verifier.verify(issuer.token(header={"kid": f"made-up-{number}"}))
        clock.now += 0.2
    assert issuer.fetches - fetches == 2


async def test_many_at_once_share_one_fetch() -> None:
    issuer = Issuer("k1")

    async def slow() -> JwkSet:
        await asyncio.sleep(0.05)
        return await issuer.jwks()

    verifier = Verifier(ISSUER, Keys(slow), "runnerly-api")
    first = asyncio.create_task(verifier.verify(issuer.token()))
    others = [asyncio.create_task(verifier.verify(issuer.token())) for _ in range(20)]
    await asyncio.sleep(0.01)
    first.cancel()
    callers = await asyncio.gather(*others)
    assert len(callers) == 20
    assert issuer.fetches == 1


async def test_old_keys_serve_while_the_tokendealer_is_away_and_not_for_ever() -> None:
    issuer, clock, log = Issuer("k1"), Clock(), RecordedLogs()
    verifier = Verifier(ISSUER, Keys(issuer.jwks, monotonic=clock, log=log.logger()), "runnerly-api")
    await verifier.verify(issuer.token())
    issuer.failure = ConnectionError("away")
    clock.now += 600
    assert await verifier.verify(issuer.token())
    await eventually(lambda: log.events == ["auth.keys_not_refreshed"])
    log.close()
    clock.now += 3600
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token())
    issuer.failure = None
    clock.now += 6
    assert await verifier.verify(issuer.token())


async def test_before_any_key_was_fetched_it_is_not_the_callers_fault(issuer: Issuer) -> None:
    async def away() -> JwkSet:
        raise ConnectionError("not up yet")

    with pytest.raises(Unavailable):
        await Verifier(ISSUER, Keys(away), "runnerly-api").verify(issuer.token())


async def test_a_revoked_key_ends_the_tokens_it_signed_remembered_ones_too() -> None:
    issuer, clock = Issuer("k1", "k2"), Clock()
    verifier = Verifier(ISSUER, Keys(issuer.jwks, monotonic=clock), "runnerly-api")
    stolen, good = issuer.token(), issuer.token(kid="k2")
    await verifier.verify(stolen)
    del issuer.keys["k1"]
    clock.now += 301
    await verifier.verify(good)
    await eventually(lambda: verifier.cached(stolen) is None)
    with pytest.raises(BadToken):
        await verifier.verify(stolen)


async def test_a_weak_or_foreign_key_is_never_used() -> None:
    issuer = Issuer("k1")
    issuer.keys["k1"] = new_key(1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = issuer.token()
    with pytest.raises(Unavailable):
        await Verifier(ISSUER, Keys(issuer.jwks), "runnerly-api").verify(token)
    foreign = msgspec.convert({"keys": [{"kty": "EC", "kid": "k1", "crv": "P-256", "x": "AA", "y": "AA"}]}, JwkSet)

    async def only_foreign() -> JwkSet:
        return foreign

    with pytest.raises(BadToken):
        await Verifier(ISSUER, Keys(only_foreign), "runnerly-api").verify(Issuer("k1").token())
