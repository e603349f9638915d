"""Tokens, sessions and ids that are wrong in every way there is: refused, and nothing is told by how."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tests.support.api import Answer, Api, Mailbox, Person, register
from tests.support.recordings import a_run, gpx
from tests.support.running import How, Running, running

SHORTEST_S = 10
LEEWAY_S = 5


# -- what expires

# With those of `make run`, the first and the last of which these two are: between them a token has time to run out.
AMONG_OTHERS = pytest.mark.parametrize("how", [How.RUN], ids=["make-run"], indirect=True)


@pytest.fixture(scope="module")
def hasty(pytestconfig: pytest.Config) -> Iterator[Person]:
    """Somebody at a Runnerly whose access tokens are good for ten seconds: they run out while the other tests go on."""
    with running(pytestconfig, How.RUN, RUNNERLY_ACCESS_TOKEN_S=str(SHORTEST_S)) as started:
        yield register(started.port, Mailbox(started.sandbox_port))


@AMONG_OTHERS
@pytest.mark.usefixtures("how")
def test_a_token_is_good_for_as_long_as_it_says(hasty: Person) -> None:
    claims = claims_of(hasty.api.token or "")
    assert (hasty.tokens["expires_in"], claims["exp"] - claims["iat"]) == (SHORTEST_S, SHORTEST_S)
    assert hasty.api.get("accounts/me").status == 200


# -- tokens


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def encoded(value: bytes | dict[str, Any]) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def refused(answer: Answer) -> bool:
    """It is not known who asks, and that is all that is told."""
    return (
        answer.status == 401
        and answer.json["type"] in {"/problems/invalid-token", "/problems/unauthenticated"}
        and answer.headers["WWW-Authenticate"].startswith("Bearer")
    )


def test_a_key_that_a_token_brings_along_is_not_taken(person: Person) -> None:
    """RFC 8725, 3.5 and 3.10: the key is ours, whatever the header says of `jwk`, `jku`, `x5u` or `kid`."""
    own = rsa.generate_private_key(65537, 2048)
    numbers = own.public_key().public_numbers()
    jwk = {
        "kty": "RSA",
        "n": encoded(numbers.n.to_bytes(256, "big")),
        "e": encoded(numbers.e.to_bytes(3, "big")),
        "use": "sig",
        "alg": "RS256",
    }
    token = person.api.token or ""
    claims, kid = claims_of(token), jwt.get_unverified_header(token)["kid"]
    headers: list[dict[str, Any]] = [
        {"kid": kid},
        {"kid": kid, "jwk": jwk},
        {"kid": "mine", "jwk": {**jwk, "kid": "mine"}},
        {"kid": "mine", "jku": f"http://127.0.0.1:{person.api.port}/keys", "x5u": "http://127.0.0.1:9/"},
        {"kid": "../../../../dev/null"},
        {"kid": "'; --"},
        {"kid": "k" * 5000},
        {"kid": ""},
        {"kid": kid, "crit": ["exp"]},
        {},
    ]
    for header in headers:
        forged = jwt.encode(claims, own, "RS256", headers={"typ": "at+jwt", **header})
        assert refused(Api(person.api.port, forged).get("accounts/me")), header


def test_a_public_key_is_no_secret(person: Person) -> None:
    """RFC 8725, 2.1: a token with an HMAC made with the published key, in every spelling, is not signed by us."""
    [published, *_] = [key for key in person.api.get("/.well-known/jwks.json").json["keys"] if key["kty"] == "RSA"]
    key = jwt.PyJWK(published).key
    claims = encoded(claims_of(person.api.token or ""))
    for public in (
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        published["n"].encode(),
        json.dumps(published).encode(),
        b"",
    ):
        signed = f"{encoded({'alg': 'HS256', 'typ': 'at+jwt', 'kid': published['kid']})}.{claims}"
        mac = encoded(hmac.digest(public, signed.encode(), hashlib.sha256))
        assert refused(Api(person.api.port, f"{signed}.{mac}").get("accounts/me"))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "HS256", "RS512", "PS256", "ES256"])
def test_the_algorithm_is_ours_to_choose(person: Person, alg: str) -> None:
    token = person.api.token or ""
    head, body, signature = token.split(".")
    header = {**jwt.get_unverified_header(token), "alg": alg}
    for last in ("", signature):
        assert refused(Api(person.api.port, f"{encoded(header)}.{body}.{last}").get("accounts/me"))
    assert Api(person.api.port, f"{head}.{body}.{signature}").get("accounts/me").status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "bearer x y",
        "Token {}",
        "Basic {}",
        "{}",
        "Bearer {},{}",
        "Bearer\t{}",
        'Bearer "{}"',
    ],
)
def test_a_token_is_taken_only_as_a_bearer_token(person: Person, header: str) -> None:
    header = header.replace("{}", person.api.token or "")
    assert refused(Api(person.api.port).ask("GET", "accounts/me", headers={"Authorization": header}))


def test_a_token_in_the_address_is_none(person: Person, anybody: Api) -> None:
    """RFC 9700, 2.3: addresses are logged everywhere."""
    assert anybody.get("accounts/me", access_token=person.api.token).status == 401
    assert anybody.get("accounts/me", token=person.api.token).status == 401


# -- a service's token is for the service it calls


def service_token(it: Running, service: str, audience: str) -> Answer:
    """What a service gets for its key (RFC 7523)."""
    key = load_pem_private_key((it.home / "keys" / f"{service}.pem").read_bytes(), None)
    issuer = Api(it.port).get("/.well-known/oauth-authorization-server").json["issuer"]
    now = int(time.time())
    claims = {"iss": service, "sub": service, "aud": issuer, "iat": now, "exp": now + 60, "jti": secrets.token_hex(8)}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims, key, "ES256"),  # type: ignore[arg-type]
        "scope": "service",
        "audience": audience,
    }
    content_type = {"Content-Type": "application/x-www-form-urlencoded"}
    inside = Api(it.internal_port, strict=False)
    return inside.ask("POST", "/tokendealer/oauth/token", urlencode(form).encode(), headers=content_type)


def test_a_services_token_opens_one_service_and_nothing_on_the_street(it: Running, person: Person) -> None:
    answer = service_token(it, "accounts", "activities")
    assert answer.status == 200, answer.body
    token = answer.json["access_token"]
    for path in ("accounts/me", "activities", "sessions", "stats?by=month"):
        assert refused(Api(it.port, token).get(path)), path

    sub = claims_of(person.api.token or "")["sub"]
    inside = Api(it.internal_port, token)
    assert inside.get(f"/activities/internal/v1/people/{sub}").status == 200
    for other in ("accounts", "mailer", "tokendealer"):
        assert inside.get(f"/{other}/internal/v1/people/{sub}").status == 401, other


def test_no_service_gets_a_token_for_the_public_api(it: Running) -> None:
    answer = service_token(it, "accounts", "runnerly-api")
    assert (answer.status, answer.json["error"]) == (400, "invalid_target")


# -- what is used once


def renewal(port: int, token: str) -> Answer:
    return Api(port).post("sessions/refresh", {"refresh_token": token})


def test_a_refresh_token_that_comes_again_ends_the_session_of_whoever_has_it(person: Person) -> None:
    port, first = person.api.port, person.tokens["refresh_token"]
    second = renewal(port, first).json["refresh_token"]
    third = renewal(port, second).json["refresh_token"]
    for token in (first, third, second):
        assert renewal(port, token).status == 401
    assert person.api.get("sessions").json["items"] == []


def test_another_session_of_the_same_person_goes_on(person: Person) -> None:
    port, stolen = person.api.port, person.tokens["refresh_token"]
    elsewhere = Person(Api(port), person.email)
    elsewhere.sign_in()
    renewal(port, stolen)
    assert renewal(port, stolen).status == 401
    assert renewal(port, elsewhere.tokens["refresh_token"]).status == 200


def tampered(token: str) -> dict[str, str]:
    """Tokens that are nearly one."""
    family, generation, tag = token.split(".")
    return {
        "next generation": f"{family}.{int(generation) + 1}.{tag}",
        "another tag": f"{family}.{generation}.{'0' * len(tag)}",
        "upper case": f"{family}.{generation}.{tag.upper()}",
        "no tag": f"{family}.{generation}.",
        "leading zero": f"{family}.0{generation}.{tag}",
        "another family": f"{secrets.token_urlsafe(16)}.{generation}.{tag}",
        "line break": f"{token}\n",
        "more": f"{token}.{tag}",
        "empty": "",
    }


def test_a_guessed_refresh_token_ends_nobodys_session(person: Person, anybody: Api) -> None:
    token = person.tokens["refresh_token"]
    for what, wrong in tampered(token).items():
        assert renewal(person.api.port, wrong).status == 401, what
    for wrong_type in (7, ["x"], {"$ne": ""}, "x" * 2000):
        assert anybody.post("sessions/refresh", {"refresh_token": wrong_type}).status == 422
    assert renewal(person.api.port, token).status == 200


def test_an_access_token_is_no_refresh_token_nor_the_other_way_round(person: Person) -> None:
    assert renewal(person.api.port, person.api.token or "").status in {401, 422}
    assert refused(Api(person.api.port, person.tokens["refresh_token"]).get("accounts/me"))


# -- what is one's own; for each call with an id in its path, see tests/http/authorisation


def test_an_idempotency_key_is_ones_own(person: Person, other: Person) -> None:
    """The same key of somebody else is another key: it neither gives their answer away nor is in the way."""
    key, content = secrets.token_hex(8), gpx(a_run(600, every=5))
    theirs = person.api.upload("run.gpx", content, idempotency_key=key)
    mine = other.api.upload("run.gpx", content, idempotency_key=key)
    assert (theirs.status, mine.status) == (201, 201)
    assert theirs.json["id"] != mine.json["id"]


# -- cookies


def cookies_of(person: Person) -> dict[str, str]:
    """The cookies of a browser that has signed in."""
    body = {"email": person.email, "password": "a long enough pass phrase 42", "mode": "cookie"}
    answer = Api(person.api.port).post("sessions", body)
    assert answer.status == 201
    return dict(cookie.split(";")[0].split("=", 1) for cookie in answer.headers.get_all("Set-Cookie") or [])


Try = Callable[[dict[str, str]], int]


def test_another_sites_page_can_do_nothing_with_our_cookies(person: Person) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in cookies_of(person).items())

    def change(headers: dict[str, str]) -> int:
        body = json.dumps({"name": "Mallory"}).encode()
        sent = {"Cookie": cookies, "Content-Type": "application/json", **headers}
        return Api(person.api.port).ask("PATCH", "accounts/me", body, headers=sent).status

    def renew(headers: dict[str, str]) -> int:
        sent = {"Cookie": cookies, "Content-Type": "application/json", **headers}
        return Api(person.api.port).ask("POST", "sessions/refresh", b"{}", headers=sent).status

    def sign_out(headers: dict[str, str]) -> int:
        return Api(person.api.port).ask("DELETE", "sessions/current", headers={"Cookie": cookies, **headers}).status

    foreign: list[dict[str, str]] = [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{person.api.port}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": f"http://127.0.0.1:{person.api.port}"},
    ]
    attempts: tuple[Try, ...] = (change, renew, sign_out)
    for headers in foreign:
        assert [attempt(headers) for attempt in attempts] == [403, 403, 403], headers
    assert person.api.get("accounts/me").json["name"] == "Rosa Läufer"
    assert sign_out({"Sec-Fetch-Site": "same-origin"}) == 204


@AMONG_OTHERS
@pytest.mark.usefixtures("how")
def test_an_expired_token_is_refused_and_a_renewed_one_taken(hasty: Person) -> None:
    time.sleep(max(0.0, claims_of(hasty.api.token or "")["exp"] + LEEWAY_S + 0.5 - time.time()))
    answer = hasty.api.get("accounts/me")
    assert refused(answer)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    renewed = renewal(hasty.api.port, hasty.tokens["refresh_token"]).json
    assert Api(hasty.api.port, renewed["access_token"]).get("accounts/me").status == 200
