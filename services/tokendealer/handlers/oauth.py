"""The OAuth endpoints: forms in, and errors by the names of RFC 6749, not problem documents."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import unquote_plus

import msgspec
from msgspec import Meta, Struct

from services.chassis.answers import Answer
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import KIB, operation
from services.chassis.problems import Problem, headers_of
from services.tokendealer.domain.clients import Client
from services.tokendealer.domain.errors import (
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
    UnsupportedGrantType,
    plain,
)
from services.tokendealer.usecases import UseCases
from services.tokendealer.usecases.authenticate_client import Proof
from services.tokendealer.usecases.grant_token import Granted, Wish
from services.tokendealer.usecases.inspect_token import Found

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
FORM_LIMIT = 64 * KIB
CLIENT_PROBLEMS = (InvalidRequest, InvalidClient)
TOKEN_PROBLEMS = (
    *CLIENT_PROBLEMS,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    InvalidTarget,
)

Text = Annotated[str, Meta(max_length=16_384)]


class ClientForm(Struct, frozen=True, kw_only=True):
    """How a client proves who it is, where it does so in the form. A parameter without a value counts as left out."""

    client_id: Text = ""
    client_secret: Text = ""
    client_assertion_type: Text = ""
    client_assertion: Text = ""


class TokenForm(ClientForm, frozen=True, kw_only=True):
    """What the token endpoint takes; what else comes is ignored, as RFC 6749, 3.2 says."""

    grant_type: Text = ""
    scope: Text = ""
    audience: Text = ""
    refresh_token: Text = ""
    code: Text = ""
    redirect_uri: Text = ""
    code_verifier: Text = ""


class TokenQuestion(ClientForm, frozen=True, kw_only=True):
    """A token to tell about, or to withdraw."""

    token: Text = ""
    token_type_hint: Text = ""


class TokenAnswer(Struct, frozen=True, omit_defaults=True):
    """RFC 6749, 5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str | None = None

    @classmethod
    def of(cls, granted: Granted) -> TokenAnswer:
        """The answer that hands over what was granted."""
        minted = granted.minted
        return cls(minted.access_token, "Bearer", minted.expires_in, " ".join(minted.scopes), granted.refresh_token)


class Introspection(Struct, frozen=True, omit_defaults=True):
    """RFC 7662, 2.2: of a token that is not good, or not the client's business, nothing but that."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    token_type: str | None = None
    exp: int | None = None
    iat: int | None = None
    sub: str | None = None
    aud: str | None = None
    iss: str | None = None
    jti: str | None = None

    @classmethod
    def of(cls, found: Found | None) -> Introspection:
        """What may be told of a token."""
        if found is None:
            return cls(active=False)
        if found.access is not None:
            told = found.access
            return cls(
                active=True,
                scope=told.scope,
                client_id=told.client_id,
                token_type="Bearer",  # noqa: S106 - its type
                exp=told.exp,
                iat=told.iat,
                sub=told.sub,
                aud=told.aud,
                iss=told.iss,
                jti=told.jti,
            )
        family = found.family
        if family is None:
            return cls(active=False)
        return cls(
            active=True,
            scope=" ".join(family.scopes),
            client_id=family.client_id,
            exp=int(family.expires_at.timestamp()),
            iat=int(family.rotated_at.timestamp()),
            sub=family.sub,
        )


class OAuthFailure(Struct, frozen=True):
    """RFC 6749, 5.2."""

    error: str
    error_description: str


class OAuthEndpoint(Endpoint[UseCases]):
    """An endpoint of the OAuth specifications."""

    error_document: ClassVar[tuple[str, type] | None] = ("application/json", OAuthFailure)
    known_by: ClassVar[Literal["session", "client"] | None] = "client"

    def present_problem(self, problem: Problem) -> tuple[int, dict[str, str], bytes]:
        """A problem as RFC 6749, 5.2 writes it."""
        status = self.status_for(type(problem))
        headers = {**headers_of(problem), **NOT_STORED, "Content-Type": "application/json"}
        if isinstance(problem, InvalidClient):
            headers["WWW-Authenticate"] = 'Basic realm="runnerly"'
        return status, headers, msgspec.json.encode(OAuthFailure(error_of(problem, status), plain(problem.detail)))

    @classmethod
    def status_for(cls, problem: type[Problem]) -> int:
        """Every fault of a request is a 400 there, but for a client that did not prove itself."""
        status = super().status_for(problem)
        return 400 if status in {415, 422} else status

    async def authenticate(self, form: ClientForm, *, public: bool = False) -> Client:
        """The client that asks; where `public` is allowed, also one that can only say so."""
        return await self.uses.authenticate_client(
            Proof(
                client_id=form.client_id,
                client_secret=form.client_secret,
                assertion_type=form.client_assertion_type,
                assertion=form.client_assertion,
                basic=basic_of(self.request.headers.get("Authorization", "")),
            ),
            public=public,
        )


class Token(OAuthEndpoint):
    """The token endpoint."""

    @operation("issueToken", scope=None, body_limit=FORM_LIMIT, problems=TOKEN_PROBLEMS)
    async def post(self, form: TokenForm) -> Answer[TokenAnswer]:
        """Trade an authorization code, a refresh token, or a client's own credentials for an access token."""
        arrived_at = datetime.now(UTC) - timedelta(seconds=self.request.request_time())
        if not form.grant_type:
            raise InvalidRequest("Send the grant_type")
        client = await self.authenticate(form, public=True)
        wish = Wish(
            form.grant_type,
            form.scope,
            form.audience,
            form.refresh_token,
            arrived_at,
            form.code,
            form.redirect_uri,
            form.code_verifier,
        )
        granted = await self.uses.grant_token(client, wish)
        return Answer(TokenAnswer.of(granted), headers=NOT_STORED)


class Introspect(OAuthEndpoint):
    """The introspection endpoint."""

    @operation("introspectToken", scope=None, body_limit=FORM_LIMIT, problems=CLIENT_PROBLEMS)
    async def post(self, form: TokenQuestion) -> Answer[Introspection]:
        """Tell whether a token is good now, and what it is."""
        client = await self.authenticate(form)
        if not form.token:
            raise InvalidRequest("Send the token")
        return Answer(Introspection.of(await self.uses.inspect_token(client, form.token)), headers=NOT_STORED)


class Revoke(OAuthEndpoint):
    """The revocation endpoint."""

    @operation("revokeToken", scope=None, body_limit=FORM_LIMIT, status=200, problems=CLIENT_PROBLEMS)
    async def post(self, form: TokenQuestion) -> None:
        """End the sign-in that a token belongs to. A token that is not known is withdrawn already."""
        client = await self.authenticate(form, public=True)
        if not form.token:
            raise InvalidRequest("Send the token")
        await self.uses.inspect_token.revoke(client, form.token)


def basic_of(authorization: str) -> tuple[str, str] | None:
    """The id and secret in a Basic header, each form-encoded (RFC 6749, 2.3.1); None where there is no such header.

    Raises `InvalidClient` where it can't be read.
    """
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as failure:
        raise InvalidClient("The Authorization header can't be read") from failure
    if not colon:
        raise InvalidClient("The Authorization header can't be read")
    return unquote_plus(client_id), unquote_plus(secret)


def error_of(problem: Problem, status: int) -> str:
    """The error code of a problem (RFC 6749, 5.2; the last two are of 4.1.2.1)."""
    match problem:
        case (
            InvalidRequest()
            | InvalidClient()
            | InvalidGrant()
            | UnauthorizedClient()
            | UnsupportedGrantType()
            | InvalidScope()
            | InvalidTarget()
        ):
            return problem.error
        case _ if status in {429, 503}:
            return "temporarily_unavailable"
        case _:
            return "server_error" if status >= 500 else "invalid_request"


ROUTES = (
    Route("/oauth/token", Token),
    Route("/oauth/introspect", Introspect),
    Route("/oauth/revoke", Revoke),
)
