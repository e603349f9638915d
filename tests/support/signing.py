"""An issuer for tests: it signs what it is told to, also what no honest issuer would."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from services.chassis.auth import JwkSet

ISSUER = "http://runnerly.test"


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def segment(value: Any) -> str:
    """One part of a JWS, of JSON or of bytes."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Issuer:
    """Signs access tokens with keys it makes, and serves their public halves like a tokendealer would."""

    def __init__(self, *kids: str) -> None:
        self.keys = {kid: new_key() for kid in kids or ("k1",)}
        self.fetches = 0
        self.failure: Exception | None = None

    async def jwks(self) -> JwkSet:
        self.fetches += 1
        if self.failure is not None:
            raise self.failure
        return self.published()

    def published(self) -> JwkSet:
        return msgspec.convert({"keys": [self.jwk(kid) for kid in self.keys]}, JwkSet)

    def jwk(self, kid: str) -> dict[str, Any]:
        public = self.keys[kid].public_key()
        return {**jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "runnerly-api",
            "sub": "runner-1",
            "client_id": "runnerly",
            "scope": "activities:read account",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self,
        *,
        kid: str | None = "k1",
        key: Any = None,
        alg: str = "RS256",
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        headers: dict[str, Any] = {"typ": "at+jwt", "kid": kid} | (header or {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return jwt.encode(self.claims(**claims), key or self.keys[kid or "k1"], algorithm=alg, headers=headers)
