"""The cryptography of the tokendealer: making signing keys, signing access tokens, reading them and client assertions."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_public_key,
)
from jwt.utils import to_base64url_uint
from msgspec import Struct

from services.chassis.auth import ALGORITHM, LEEWAY_S, REQUIRED_CLAIMS, TOKEN_TYPE, Jwk, check_names
from services.chassis.secrets import Secrets
from services.tokendealer.domain.clients import PublicKey
from services.tokendealer.domain.keys import SigningKey, bound_to

KEY_BITS = 3072  # as strong as 128 bits (NIST SP 800-57)
CERTIFICATE_FOR = timedelta(days=10 * 365)
LONGEST_ASSERTION_S = 300
LONGEST_JTI = 255
UNFIT_KEY = "A client's key is EC on P-256, or RSA of at least 3072 bits"


class AccessToken(Struct, frozen=True):
    """What an access token of ours says (RFC 9068)."""

    iss: str
    sub: str
    aud: str
    exp: int
    iat: int
    jti: str
    client_id: str
    scope: str
    sid: str | None = None


class Assertion(Struct, frozen=True):
    """What a client says of itself when it proves who it is (RFC 7523, 3)."""

    iss: str
    sub: str
    exp: int
    jti: str


class BadAssertion(Exception):
    """The assertion does not prove what it says."""


def new_signing_key(generation: int, signs_from: datetime, box: Secrets) -> SigningKey:
    """A fresh RSA key pair with a self-signed certificate, its private half sealed."""
    private = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    now = datetime.now(UTC)
    kid = f"{now:%Y%m%d}-{secrets.token_hex(6)}"
    certificate = _certificate(private, kid, now)
    numbers = private.public_key().public_numbers()
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(
        generation=generation,
        kid=kid,
        created_at=now,
        signs_from=signs_from,
        n=to_base64url_uint(numbers.n).decode(),
        e=to_base64url_uint(numbers.e).decode(),
        certificate=base64.b64encode(certificate).decode(),
        thumbprint=_base64url(hashlib.sha256(certificate).digest()),
        sealed=box.seal(der, bound_to=bound_to(kid)),
    )


def open_signing_key(key: SigningKey, box: Secrets) -> RSAPrivateKey:
    """The private half. Raises `WrongKey` where it was sealed with another KEK."""
    private = load_der_private_key(box.open(key.sealed, bound_to=bound_to(key.kid)), password=None)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError(f"The signing key {key.kid} is not an RSA key")
    return private


def sign(token: AccessToken, kid: str, private: RSAPrivateKey) -> str:
    """The token as a JWT."""
    claims = {name: value for name, value in msgspec.to_builtins(token).items() if value is not None}
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE, "kid": kid})


def read_access_token(text: str, keys: dict[str, Jwk], issuer: str) -> AccessToken | None:
    """The token, whoever it is for, where it is one of ours and good; None otherwise."""
    try:
        header = jwt.get_unverified_header(text)
        key = keys.get(str(header.get("kid")))
        if key is None or header.get("typ") != TOKEN_TYPE or "crit" in header:
            return None
        public = jwt.PyJWK.from_dict({"kty": key.kty, "n": key.n, "e": key.e}, ALGORITHM)
        options: Any = {"verify_aud": False, "require": list(REQUIRED_CLAIMS)}
        claims = jwt.decode(text, public, algorithms=[ALGORITHM], issuer=issuer, leeway=LEEWAY_S, options=options)
        check_names(text)
        return msgspec.convert(claims, AccessToken)
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
        return None


def public_key_of(pem: bytes) -> PublicKey:
    """A client's public key, bare or in a certificate: EC on P-256, or RSA of at least 3072 bits. Raises `ValueError`."""
    if b"CERTIFICATE" not in pem:
        return _public_key(load_pem_public_key(pem))
    certificate = x509.load_pem_x509_certificate(pem)
    if not certificate.not_valid_before_utc <= datetime.now(UTC) < certificate.not_valid_after_utc:
        raise ValueError("The certificate is not valid now")
    return msgspec.structs.replace(_public_key(certificate.public_key()), expires_at=certificate.not_valid_after_utc)


def _public_key(key: object) -> PublicKey:
    if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey):
        raise ValueError(UNFIT_KEY)  # noqa: TRY004 - of the file, not of the argument
    canonical = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        numbers = key.public_numbers()
        x, y = (_base64url(number.to_bytes(32)) for number in (numbers.x, numbers.y))
        return PublicKey(_thumbprint({"crv": "P-256", "kty": "EC", "x": x, "y": y}), "ES256", canonical)
    if isinstance(key, RSAPublicKey) and key.key_size >= KEY_BITS:
        rsa = key.public_numbers()
        members = {"e": to_base64url_uint(rsa.e).decode(), "kty": "RSA", "n": to_base64url_uint(rsa.n).decode()}
        return PublicKey(_thumbprint(members), "RS256", canonical)
    raise ValueError(UNFIT_KEY)


def claimed_client(assertion: str) -> str:
    """The client that an assertion claims to be of, unverified. Raises `BadAssertion`."""
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as failure:
        raise BadAssertion("The assertion can't be read") from failure
    if not isinstance(claims.get("sub"), str):
        raise BadAssertion("The assertion says of nobody")
    return str(claims["sub"])


def check_assertion(assertion: str, keys: tuple[PublicKey, ...], audiences: list[str]) -> Assertion:
    """What an assertion says, signed with one of these keys and for one of these audiences. Raises `BadAssertion`."""
    kid, now = jwt.get_unverified_header(assertion).get("kid"), datetime.now(UTC)
    for key in keys:
        if kid in {None, key.kid} and key.is_good(now):
            try:
                return _read_assertion(assertion, key, audiences)
            except jwt.InvalidSignatureError:
                continue
    raise BadAssertion("The assertion is signed with no key of this client")


def _read_assertion(assertion: str, key: PublicKey, audiences: list[str]) -> Assertion:
    try:
        claims = jwt.decode(
            assertion,
            key.pem,
            algorithms=[key.alg],
            audience=audiences,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "sub", "aud", "jti"]},
        )
        check_names(assertion)
        said = msgspec.convert(claims, Assertion)
    except jwt.InvalidSignatureError:
        raise
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as failure:
        raise BadAssertion(f"The assertion is not valid: {type(failure).__name__}") from failure
    if said.exp - datetime.now(UTC).timestamp() > LONGEST_ASSERTION_S + LEEWAY_S:
        raise BadAssertion("The assertion is good for too long")
    if said.iss != said.sub or not 0 < len(said.jti) <= LONGEST_JTI:
        raise BadAssertion("The assertion is not the client's own")
    return said


def _certificate(private: RSAPrivateKey, kid: str, now: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Runnerly signing key {kid}")])
    builder = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + CERTIFICATE_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signs_only(), critical=True)
    )
    return builder.sign(private, SHA256()).public_bytes(Encoding.DER)


def _signs_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _thumbprint(members: dict[str, str]) -> str:
    """The thumbprint of a JWK (RFC 7638): its required members, sorted, without blanks."""
    return _base64url(hashlib.sha256(msgspec.json.encode(dict(sorted(members.items())))).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
