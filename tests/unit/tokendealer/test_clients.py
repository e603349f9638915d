"""What a client may have."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from services.tokendealer.domain.clients import Client, narrowed
from services.tokendealer.domain.errors import InvalidClient, InvalidScope, InvalidTarget, UnauthorizedClient, plain
from services.tokendealer.handlers.oauth import basic_of
from services.tokendealer.signing import public_key_of

SCOPES = st.lists(st.sampled_from(["account", "activities:read", "reports:read", "admin"]))


@given(granted=SCOPES, wanted=SCOPES)
def test_no_wish_gets_more_than_was_granted(granted: list[str], wanted: list[str]) -> None:
    if set(wanted) <= set(granted):
        assert set(narrowed(granted, " ".join(wanted))) == (set(wanted) or set(granted))
    else:
        with pytest.raises(InvalidScope):
            narrowed(granted, " ".join(wanted))


def test_a_client_has_its_grants_and_audiences() -> None:
    client = Client("x", "x", "app", ("account",), ("client_credentials",), ("a", "b"), datetime.now(UTC))
    client.check_grant("client_credentials")
    with pytest.raises(UnauthorizedClient):
        client.check_grant("refresh_token")
    assert client.audience("b") == "b"
    for wanted in ("", "c"):
        with pytest.raises(InvalidTarget):
            client.audience(wanted)


def pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_keys_id_is_its_thumbprint_as_others_compute_it() -> None:
    curve = pem(ec.generate_private_key(ec.SECP256R1()).public_key())
    assert public_key_of(curve).kid == ECKey.import_key(curve).thumbprint()
    large = pem(rsa.generate_private_key(65537, 3072).public_key())
    assert public_key_of(large).kid == RSAKey.import_key(large).thumbprint()


@pytest.mark.parametrize(
    "key",
    [
        pem(rsa.generate_private_key(65537, 2048).public_key()),
        pem(ec.generate_private_key(ec.SECP384R1()).public_key()),
        pem(ed25519.Ed25519PrivateKey.generate().public_key()),
        b"rubbish",
        b"",
    ],
    ids=["short", "other curve", "other kind", "rubbish", "empty"],
)
def test_a_key_of_another_kind_is_not_taken(key: bytes) -> None:
    with pytest.raises(ValueError):
        public_key_of(key)


@given(st.text(max_size=100))
def test_a_description_has_only_the_letters_that_it_may(text: str) -> None:
    """RFC 6749, 5.2: %x20-21 / %x23-5B / %x5D-7E."""
    assert all("\x20" <= letter <= "\x7e" and letter not in '"\\' for letter in plain(text))


@given(st.one_of(st.text(max_size=50), st.text("ABCDabcd0123+/= :", max_size=50).map(lambda text: f"Basic {text}")))
def test_any_authorization_header_can_be_read_or_is_refused(text: str) -> None:
    with suppress(InvalidClient):
        assert basic_of(text) is None or text.lower().startswith("basic ")


@given(client_id=st.text(max_size=30), secret=st.text(max_size=30))
def test_any_id_and_secret_come_through_basic(client_id: str, secret: str) -> None:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    assert basic_of(f"Basic {b64encode(pair).decode()}") == (client_id, secret)
