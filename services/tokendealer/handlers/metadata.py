"""What anybody may know: the keys that verify our tokens, and where the OAuth endpoints are."""

from __future__ import annotations

from msgspec import Struct, field

from services.chassis.answers import Answer
from services.chassis.auth import ALGORITHM
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.scopes import FOR_APPS
from services.tokendealer.domain.authorizations import METHOD
from services.tokendealer.domain.keys import SigningKey
from services.tokendealer.usecases import UseCases

KEPT_FOR_S = 300
PUBLIC = {"Cache-Control": f"public, max-age={KEPT_FOR_S}"}
PROOFS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
ASSERTION_ALGORITHMS = ("ES256", "RS256")


class JwkView(Struct, frozen=True):
    """A public key (RFC 7517), with a self-signed certificate over it for those who want X.509."""

    kid: str
    n: str
    e: str
    x5c: tuple[str, ...]
    thumbprint: str = field(name="x5t#S256")
    kty: str = "RSA"
    use: str = "sig"
    alg: str = ALGORITHM

    @classmethod
    def of(cls, key: SigningKey) -> JwkView:
        """The public side of a signing key."""
        return cls(key.kid, key.n, key.e, (key.certificate,), key.thumbprint)


class JwkSetView(Struct, frozen=True):
    """The keys that access tokens are verified with."""

    keys: list[JwkView]


class Metadata(Struct, frozen=True):
    """The authorization server's metadata (RFC 8414): what works, and nothing else."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    introspection_endpoint: str
    revocation_endpoint: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    response_modes_supported: list[str]
    grant_types_supported: list[str]
    code_challenge_methods_supported: list[str]
    authorization_response_iss_parameter_supported: bool
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    introspection_endpoint_auth_methods_supported: list[str]
    introspection_endpoint_auth_signing_alg_values_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_signing_alg_values_supported: list[str]

    @classmethod
    def at(cls, issuer: str) -> Metadata:
        """The metadata of a Runnerly at this address."""
        proofs, algorithms = list(PROOFS), list(ASSERTION_ALGORITHMS)
        or_none = [*proofs, "none"]
        return cls(
            issuer=issuer,
            authorization_endpoint=f"{issuer}/oauth/authorize",
            token_endpoint=f"{issuer}/oauth/token",
            jwks_uri=f"{issuer}/.well-known/jwks.json",
            introspection_endpoint=f"{issuer}/oauth/introspect",
            revocation_endpoint=f"{issuer}/oauth/revoke",
            scopes_supported=list(FOR_APPS),
            response_types_supported=["code"],
            response_modes_supported=["query"],
            grant_types_supported=["authorization_code", "client_credentials", "refresh_token"],
            code_challenge_methods_supported=[METHOD],
            authorization_response_iss_parameter_supported=True,
            token_endpoint_auth_methods_supported=or_none,
            token_endpoint_auth_signing_alg_values_supported=algorithms,
            introspection_endpoint_auth_methods_supported=proofs,
            introspection_endpoint_auth_signing_alg_values_supported=algorithms,
            revocation_endpoint_auth_methods_supported=or_none,
            revocation_endpoint_auth_signing_alg_values_supported=algorithms,
        )


class JsonWebKeys(Endpoint[UseCases]):
    """The published keys."""

    @operation("readKeys", scope=None)
    async def get(self) -> Answer[JwkSetView]:
        """Read the keys that access tokens are verified with."""
        return Answer(JwkSetView([JwkView.of(key) for key in await self.uses.keyring.published()]), headers=PUBLIC)


class AuthorizationServer(Endpoint[UseCases]):
    """The metadata document."""

    @operation("readAuthorizationServer", scope=None)
    async def get(self) -> Answer[Metadata]:
        """Read where the OAuth endpoints are, and what they support."""
        return Answer(Metadata.at(self.uses.issuer), headers=PUBLIC)


ROUTES = (
    Route("/.well-known/jwks.json", JsonWebKeys),
    Route("/.well-known/oauth-authorization-server", AuthorizationServer),
)
