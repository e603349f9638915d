"""Find out which client asks, by the proof it gives (RFC 6749, 2.3; RFC 7523, 2.2)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import Struct

from services.chassis.auth import LEEWAY_S
from services.chassis.identity import ASSERTION_TYPE
from services.chassis.metrics import Metrics
from services.tokendealer.domain.clients import Client
from services.tokendealer.domain.errors import InvalidClient, InvalidRequest
from services.tokendealer.signing import BadAssertion, check_assertion, claimed_client
from services.tokendealer.store import AssertionStore, ClientStore

SECRET_PURPOSE = "client-secret"  # noqa: S105 - what a keyed hash is for


class Proof(Struct, frozen=True):
    """What came with a request: in the form, and (`basic`) in the Authorization header."""

    client_id: str = ""
    client_secret: str = ""
    assertion_type: str = ""
    assertion: str = ""
    basic: tuple[str, str] | None = None

    @property
    def methods(self) -> int:
        """How many ways of proving it are tried at once."""
        return bool(self.client_secret) + bool(self.assertion or self.assertion_type) + (self.basic is not None)


@dataclass(frozen=True, slots=True)
class AuthenticateClient:
    """Raises `InvalidClient`, or `InvalidRequest` where more than one way is tried."""

    clients: ClientStore
    assertions: AssertionStore
    keyed_hash: Callable[[str, str], str]
    audiences: list[str]
    clock: Callable[[], datetime]
    metrics: Metrics

    async def __call__(self, proof: Proof, *, public: bool = False) -> Client:
        """The client that this proves; where `public` is allowed, also one that can prove nothing, by its name."""
        try:
            if public and proof.methods == 0 and proof.client_id:
                return await self._public(proof.client_id)
            return await self._client(proof)
        except InvalidClient:
            self.metrics.incr("tokens.refused", reason="invalid_client")
            raise

    async def _public(self, client_id: str) -> Client:
        client = await self.clients.find(client_id)
        if client is None or not client.public:
            raise InvalidClient
        return client

    async def _client(self, proof: Proof) -> Client:
        if proof.methods > 1:
            raise InvalidRequest("Authenticate in one way only")
        if proof.methods == 0:
            raise InvalidClient
        if proof.assertion or proof.assertion_type:
            return await self._by_assertion(proof)
        client_id, secret = proof.basic or (proof.client_id, proof.client_secret)
        if proof.client_id not in {"", client_id}:
            raise InvalidRequest("The request names two clients")
        return await self._by_secret(client_id, secret)

    async def _by_secret(self, client_id: str, secret: str) -> Client:
        client = await self.clients.find(client_id)
        given, now = self.keyed_hash(SECRET_PURPOSE, secret), self.clock()
        good = [known for known in client.secrets if known.is_good(now)] if client else []
        if client is None or not any(hmac.compare_digest(known.hash, given) for known in good):
            raise InvalidClient
        return client

    async def _by_assertion(self, proof: Proof) -> Client:
        if proof.assertion_type != ASSERTION_TYPE:
            raise InvalidRequest(f"Send client_assertion_type {ASSERTION_TYPE}")
        try:
            client_id = claimed_client(proof.assertion)
            client = await self.clients.find(client_id)
            if client is None or proof.client_id not in {"", client_id}:
                raise InvalidClient
            said = check_assertion(proof.assertion, client.keys, self.audiences)
        except BadAssertion as failure:
            raise InvalidClient(str(failure)) from failure
        until = datetime.fromtimestamp(said.exp + LEEWAY_S, UTC)
        if said.sub != client.id or not await self.assertions.use(client.id, said.jti, until):
            raise InvalidClient("The assertion was used before")
        return client
