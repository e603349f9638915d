"""The OAuth endpoints as clients see them, checked with a library that is not ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import jwt
import msgspec
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from services.chassis.identity import ASSERTION_TYPE, Identity, read_service_key, service_key_path
from services.command.clients import new_client
from services.tokendealer.signing import public_key_of
from tests.support.database import DatabaseServer
from tests.support.signing import segment
from tests.support.tokendealer import Dealer, tokendealer

TOKEN = "/oauth/token"
OWN = {"grant_type": "client_credentials"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dealer(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dealer]:
    """One for all tests of this module: they sign in different people."""
    async with tokendealer(database_server, tmp_path_factory.mktemp("home")) as dealer:
        yield dealer


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


@dataclass(frozen=True)
class FromNow:
    """So many seconds after the test asks, which may be long after the table was read."""

    seconds: int


def proof(dealer: Dealer, service: str = "accounts", **changes: Any) -> dict[str, str]:
    """An assertion of a service, with some claims changed."""
    key = changes.pop("key", None) or read_service_key(service_key_path(dealer.settings, service))
    algorithm, headers = changes.pop("alg", "ES256"), changes.pop("headers", None)
    now = int(time.time())
    claims = {
        "iss": service,
        "sub": service,
        "aud": dealer.settings.url,
        "iat": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    claims |= {name: now + value.seconds for name, value in claims.items() if isinstance(value, FromNow)}
    assertion = jwt.encode(claims, key, algorithm=algorithm, headers=headers)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


async def claims_of(dealer: Dealer, token: str) -> dict[str, Any]:
    """What a token says, verified by the independent library with the published keys."""
    keys = KeySet.import_key_set((await dealer.get("/.well-known/jwks.json"))[0])
    decoded = jose.decode(token, keys, algorithms=["RS256"])
    assert decoded.header["typ"] == "at+jwt"
    return dict(decoded.claims)


async def test_the_metadata_tells_what_works_and_nothing_else(dealer: Dealer) -> None:
    told, headers = await dealer.get("/.well-known/oauth-authorization-server")
    assert told["issuer"] == dealer.settings.url
    assert told["grant_types_supported"] == ["authorization_code", "client_credentials", "refresh_token"]
    assert headers["Cache-Control"] == "public, max-age=300"
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        path = told[name].removeprefix(told["issuer"])
        assert (await dealer.post(path, {}))[0] in {400, 401}
    assert (await dealer.get(told["jwks_uri"].removeprefix(told["issuer"])))[0]["keys"]


async def test_the_published_keys_come_with_certificates_over_them(dealer: Dealer) -> None:
    keys, headers = await dealer.get("/.well-known/jwks.json")
    assert headers["Cache-Control"] == "public, max-age=300"
    (key,) = keys["keys"]
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()
    certificate = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size >= 3072
    assert public.public_numbers().n == int.from_bytes(base64.urlsafe_b64decode(key["n"] + "=="))
    assert key["x5t#S256"] == segment(hashlib.sha256(base64.b64decode(key["x5c"][0])).digest())
    algorithm = certificate.signature_hash_algorithm
    assert algorithm is not None
    public.verify(certificate.signature, certificate.tbs_certificate_bytes, PKCS1v15(), algorithm)


async def test_a_service_gets_a_token_for_the_service_it_calls(dealer: Dealer) -> None:
    status, told = await dealer.post(TOKEN, OWN | proof(dealer) | {"audience": "mailer", "scope": "service"})
    assert (status, told["token_type"], told["scope"]) == (200, "Bearer", "service")
    assert "refresh_token" not in told
    claims = await claims_of(dealer, told["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"], claims["iss"]) == (
        "accounts",
        "accounts",
        "mailer",
        dealer.settings.url,
    )
    assert claims["exp"] - claims["iat"] == told["expires_in"] <= 300


@pytest.mark.parametrize("way", ["basic", "post"])
async def test_a_client_proves_itself_with_its_secret(way: str, dealer: Dealer) -> None:
    client, secret = await dealer.add_client("activities:read", "reports:read")
    form = OWN | ({} if way == "basic" else {"client_id": client.id, "client_secret": secret})
    headers = basic(client.id, secret) if way == "basic" else {}
    status, told = await dealer.post(TOKEN, form, headers=headers)
    assert (status, told["scope"]) == (200, "activities:read reports:read")
    claims = await claims_of(dealer, told["access_token"])
    assert (claims["sub"], claims["aud"]) == (client.id, "runnerly-api")
    status, told = await dealer.post(TOKEN, form | {"scope": "reports:read"}, headers=headers)
    assert (status, told["scope"]) == (200, "reports:read")


async def test_a_client_with_an_rsa_key_proves_itself(dealer: Dealer) -> None:
    key = rsa.generate_private_key(65537, 3072)
    public = public_key_of(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    client = new_client("an app", ("account",), (public,), "", dealer.box)
    await dealer.clients.add(client)
    form = OWN | proof(dealer, client.id, key=key, alg="RS256", headers={"kid": public.kid})
    assert (await dealer.post(TOKEN, form))[0] == 200


def certificate(key: ec.EllipticCurvePrivateKey, *, since: timedelta, until: timedelta) -> bytes:
    """An X.509 certificate over a key of its own, in PEM."""
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an app")]), datetime.now(UTC)
    built = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=7)
        .not_valid_before(now + since)
        .not_valid_after(now + until)
    )
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM)


async def test_a_certified_key_proves_until_its_certificate_expires(dealer: Dealer) -> None:
    key, day = ec.generate_private_key(ec.SECP256R1()), timedelta(days=1)
    public = public_key_of(certificate(key, since=-day, until=day))
    client = new_client("an app", ("reports:read",), (public,), "", dealer.box)
    await dealer.clients.add(client)
    assert (await dealer.post(TOKEN, OWN | proof(dealer, client.id, key=key)))[0] == 200
    over = msgspec.structs.replace(public, expires_at=datetime.now(UTC))
    assert await dealer.clients.replace(client, msgspec.structs.replace(client, keys=(over,), version=2))
    assert (await dealer.post(TOKEN, OWN | proof(dealer, client.id, key=key)))[1]["error"] == "invalid_client"
    for since, until in ((-2 * day, -day), (day, 2 * day)):
        with pytest.raises(ValueError, match="not valid now"):
            public_key_of(certificate(key, since=since, until=until))


async def test_what_was_given_to_a_client_ends_with_it(dealer: Dealer) -> None:
    client, secret = await dealer.add_client("reports:read")
    _, told = await dealer.post(TOKEN, OWN, headers=basic(client.id, secret))
    asking = proof(dealer)
    assert (await dealer.post("/oauth/introspect", asking | {"token": told["access_token"]}))[1]["active"] is True
    await dealer.clients.remove(client.id)
    asking = proof(dealer)
    assert (await dealer.post("/oauth/introspect", asking | {"token": told["access_token"]}))[1] == {"active": False}


async def test_no_answer_with_a_token_is_stored(dealer: Dealer) -> None:
    form = OWN | proof(dealer) | {"audience": "mailer"}
    async with dealer.client.post(dealer.settings.url + TOKEN, data=form) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    async with dealer.client.post(dealer.settings.url + TOKEN, data=form) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (401, "no-store")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert answer.content_type == "application/json"


async def test_an_assertion_is_good_for_one_use_also_when_used_twice_at_once(dealer: Dealer) -> None:
    form = OWN | proof(dealer) | {"audience": "mailer"}
    answers = await asyncio.gather(*(dealer.post(TOKEN, form) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] + [401] * 7
    assert {told["error"] for status, told in answers if status == 401} == {"invalid_client"}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "http://evil.test"},
        {"aud": None},
        {"exp": FromNow(-60)},
        {"exp": None},
        {"exp": FromNow(36_000)},
        {"iat": FromNow(600)},
        {"nbf": FromNow(600)},
        {"iss": "mailer"},
        {"sub": "mailer"},
        {"sub": "nobody", "iss": "nobody"},
        {"sub": None},
        {"sub": {"$ne": None}},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 256},
        {"jti": 7},
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"key": rsa.generate_private_key(65537, 2048), "alg": "RS256"},
        {"key": "x" * 64, "alg": "HS256"},
        {"headers": {"kid": "another"}},
        {"headers": {"crit": ["exp"]}},
    ],
    ids="-".join,
)
async def test_a_bad_assertion_proves_nothing(changes: dict[str, Any], dealer: Dealer) -> None:
    status, told = await dealer.post(TOKEN, OWN | proof(dealer, **changes) | {"audience": "mailer"})
    assert (status, told["error"]) == (401, "invalid_client")
    assert set(told) == {"error", "error_description"}


async def test_an_assertion_without_a_signature_proves_nothing(dealer: Dealer) -> None:
    parts = proof(dealer)["client_assertion"].split(".")
    for header in ({"alg": "none"}, {"alg": "ES256"}):
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": f"{segment(header)}.{parts[1]}."}
        assert (await dealer.post(TOKEN, OWN | form | {"audience": "mailer"}))[1]["error"] == "invalid_client"


async def test_an_assertion_with_the_public_key_as_a_shared_secret_proves_nothing(dealer: Dealer) -> None:
    known = await dealer.clients.find("accounts")
    assert known is not None
    payload = proof(dealer)["client_assertion"].split(".")[1]
    signed = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{payload}"
    signature = hmac.new(known.keys[0].pem.encode(), signed.encode(), hashlib.sha256).digest()
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": f"{signed}.{segment(signature)}"}
    assert (await dealer.post(TOKEN, OWN | form | {"audience": "mailer"}))[1]["error"] == "invalid_client"


@pytest.mark.parametrize("rubbish", ["", "x", "a.b.c", "[" * 3000, "eyJhbGciOiJub25lIn0.W10."])
async def test_rubbish_for_an_assertion_proves_nothing(rubbish: str, dealer: Dealer) -> None:
    form = OWN | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": rubbish}
    assert (await dealer.post(TOKEN, form))[1]["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("form", "headers", "expected"),
    [
        ({}, {}, (400, "invalid_request")),
        ({"grant_type": ""}, {}, (400, "invalid_request")),
        (OWN, {}, (401, "invalid_client")),
        (OWN | {"client_id": "CLIENT"}, {}, (401, "invalid_client")),
        (OWN | {"client_id": "CLIENT", "client_secret": "wrong"}, {}, (401, "invalid_client")),
        (OWN | {"client_id": "nobody", "client_secret": "SECRET"}, {}, (401, "invalid_client")),
        (OWN | {"client_id": "accounts", "client_secret": "SECRET"}, {}, (401, "invalid_client")),
        (OWN, {"Authorization": "Basic !!!"}, (401, "invalid_client")),
        (OWN, {"Authorization": "Basic " + base64.b64encode(b"\xff:x").decode()}, (401, "invalid_client")),
        (OWN, {"Authorization": "Basic " + base64.b64encode(b"nocolon").decode()}, (401, "invalid_client")),
        (OWN | {"client_secret": "SECRET", "client_id": "CLIENT"}, basic("x", "y"), (400, "invalid_request")),
        (OWN | {"client_id": "another"}, basic("x", "y"), (400, "invalid_request")),
        (OWN | {"client_assertion_type": "saml", "client_assertion": "x"}, {}, (400, "invalid_request")),
        ("grant_type=client_credentials&grant_type=refresh_token", {}, (400, "invalid_request")),
        (b"grant_type=%ff", {}, (400, "invalid_request")),
        ("{}", {"Content-Type": "application/json"}, (400, "invalid_request")),
        ("grant_type=" + "x" * 20_000, {}, (400, "invalid_request")),
        ("grant_type=" + "x" * 70_000, {}, (413, "invalid_request")),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_errors_have_their_names(
    form: Any, headers: dict[str, str], expected: tuple[int, str], dealer: Dealer
) -> None:
    client, secret = await dealer.add_client("account")
    if isinstance(form, dict):
        form = {name: value.replace("CLIENT", client.id).replace("SECRET", secret) for name, value in form.items()}
    else:
        form = form.encode() if isinstance(form, str) else form
        headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    status, told = await dealer.post(TOKEN, form, headers=headers)
    assert (status, told["error"]) == expected


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x"}, "unauthorized_client"),
        (OWN | {"scope": "admin"}, "invalid_scope"),
        (OWN | {"scope": "account service"}, "invalid_scope"),
        (OWN | {"audience": "mailer"}, "invalid_target"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "rubbish"}, "invalid_grant"),
    ],
    ids=str,
)
async def test_a_known_client_gets_no_more_than_it_may(form: dict[str, str], error: str, dealer: Dealer) -> None:
    client, secret = await dealer.add_client("account")
    status, told = await dealer.post(TOKEN, form, headers=basic(client.id, secret))
    assert (status, told["error"]) == (400, error)


async def test_a_service_gets_no_token_for_the_public_api_and_no_sign_ins(dealer: Dealer) -> None:
    for form, error in (
        (OWN | {"audience": "runnerly-api"}, "invalid_target"),
        (OWN, "invalid_target"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "unauthorized_client"),
    ):
        assert (await dealer.post(TOKEN, form | proof(dealer)))[1]["error"] == error


async def test_what_a_request_has_too_much_is_ignored(dealer: Dealer) -> None:
    client, secret = await dealer.add_client("account")
    form = OWN | {"nonce": "x", "scope": "", "refresh_token": ""}
    assert (await dealer.post(TOKEN, form, headers=basic(client.id, secret)))[0] == 200


async def test_an_app_refreshes_its_persons_tokens(dealer: Dealer) -> None:
    client, secret = await dealer.add_client("account")
    begun = await dealer.sign_in("runner-1", client.id, "account", "activities:read")
    form = {"grant_type": "refresh_token", "refresh_token": begun.refresh_token, "scope": "activities:read"}
    status, told = await dealer.post(TOKEN, form, headers=basic(client.id, secret))
    assert (status, told["scope"]) == (200, "activities:read")
    claims = await claims_of(dealer, told["access_token"])
    assert (claims["sub"], claims["client_id"], claims["aud"]) == ("runner-1", client.id, "runnerly-api")
    form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    status, told = await dealer.post(TOKEN, form, headers=basic(client.id, secret))
    assert (status, told["scope"]) == (200, "account activities:read")


async def test_more_scopes_than_granted_are_refused_and_the_token_is_not_used_up(dealer: Dealer) -> None:
    client, secret = await dealer.add_client("account")
    begun = await dealer.sign_in("runner-1", client.id, "account")
    form = {"grant_type": "refresh_token", "refresh_token": begun.refresh_token}
    assert (await dealer.post(TOKEN, form | {"scope": "admin"}, headers=basic(client.id, secret)))[1][
        "error"
    ] == "invalid_scope"
    assert (await dealer.post(TOKEN, form, headers=basic(client.id, secret)))[0] == 200


async def test_another_clients_refresh_token_is_refused_and_does_it_no_harm(dealer: Dealer) -> None:
    owner, secret = await dealer.add_client("account")
    thief, _ = await dealer.add_client("account")
    begun = await dealer.sign_in("runner-1", owner.id, "account")
    form = {"grant_type": "refresh_token", "refresh_token": begun.refresh_token}
    assert (await dealer.post(TOKEN, form, headers=basic(thief.id, secret)))[1]["error"] == "invalid_grant"
    assert (await dealer.post(TOKEN, form, headers=basic(owner.id, secret)))[0] == 200


async def test_a_used_refresh_token_ends_the_family(dealer: Dealer) -> None:
    client, secret = await dealer.add_client("account")
    begun = await dealer.sign_in("runner-1", client.id, "account")
    form = {"grant_type": "refresh_token", "refresh_token": begun.refresh_token}
    _, told = await dealer.post(TOKEN, form, headers=basic(client.id, secret))
    for token in (begun.refresh_token, told["refresh_token"]):
        status, refused = await dealer.post(TOKEN, form | {"refresh_token": token}, headers=basic(client.id, secret))
        assert (status, refused["error"]) == (400, "invalid_grant")


async def test_introspection_tells_a_clients_own_tokens_and_services_any(dealer: Dealer) -> None:
    client, secret = await dealer.add_client("account")
    other, _ = await dealer.add_client("account")
    begun = await dealer.sign_in("runner-1", client.id, "account")
    for token in (begun.access_token, begun.refresh_token):
        status, told = await dealer.post("/oauth/introspect", {"token": token}, headers=basic(client.id, secret))
        assert (status, told["active"], told["sub"], told["client_id"]) == (200, True, "runner-1", client.id)
        assert (await dealer.post("/oauth/introspect", {"token": token} | proof(dealer)))[1]["active"] is True
        status, told = await dealer.post("/oauth/introspect", {"token": token}, headers=basic(other.id, secret))
        assert (status, told) == (200, {"active": False})
    assert (await dealer.post("/oauth/introspect", {"token": begun.access_token}))[0] == 401
    assert (await dealer.post("/oauth/introspect", {}, headers=basic(client.id, secret)))[1][
        "error"
    ] == "invalid_request"


@pytest.mark.parametrize("token", ["x", "a.b.c", "abcdefghijklmnop.1." + "0" * 64, "eyJhbGciOiJub25lIn0.e30."])
async def test_introspection_of_what_is_no_token(token: str, dealer: Dealer) -> None:
    assert await dealer.post("/oauth/introspect", {"token": token} | proof(dealer)) == (200, {"active": False})


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_a_token_ends_its_sign_in(which: str, dealer: Dealer) -> None:
    client, secret = await dealer.add_client("account")
    begun = await dealer.sign_in(f"runner of {which}", client.id, "account")
    other, _ = await dealer.add_client("account")
    form = {"token": getattr(begun, which)}
    assert (await dealer.post("/oauth/revoke", form, headers=basic(other.id, secret)))[0] == 200
    assert await dealer.families_of(f"runner of {which}")
    assert await dealer.post("/oauth/revoke", form, headers=basic(client.id, secret)) == (200, {})
    assert await dealer.families_of(f"runner of {which}") == []
    assert await dealer.post("/oauth/introspect", {"token": begun.access_token} | proof(dealer)) == (
        200,
        {"active": False},
    )
    assert (await dealer.post("/oauth/revoke", form, headers=basic(client.id, secret)))[0] == 200
    assert (await dealer.post("/oauth/revoke", form))[0] == 401


async def test_a_services_own_identity_gets_it_in(dealer: Dealer) -> None:
    token = await Identity.of("mailer", dealer.settings, dealer.http).token("accounts")
    assert (await claims_of(dealer, token))["sub"] == "mailer"
