"""What can be wrong with a request to an OAuth endpoint, by the names that RFC 6749 (5.2) and RFC 8707 gave it."""

from __future__ import annotations

from typing import ClassVar

from services.chassis.problems import Gone, Malformed, Unauthenticated


class InvalidRequest(Malformed):
    """A parameter is missing, or comes twice, or makes no sense."""

    error: ClassVar[str] = "invalid_request"
    title = "The request lacks a parameter or has a wrong one"


class InvalidClient(Unauthenticated):
    """The client is not known, or did not prove who it is."""

    error: ClassVar[str] = "invalid_client"
    title = "The client could not be authenticated"


class InvalidGrant(Malformed):
    """The refresh token is not valid: unknown, used, expired, withdrawn, or another client's."""

    error: ClassVar[str] = "invalid_grant"
    title = "The grant is not valid"


class UnauthorizedClient(Malformed):
    """The client may not use this grant."""

    error: ClassVar[str] = "unauthorized_client"
    title = "This client may not use this grant"


class UnsupportedGrantType(Malformed):
    """The grant is none of ours."""

    error: ClassVar[str] = "unsupported_grant_type"
    title = "This grant is not supported"


class InvalidScope(Malformed):
    """A scope is unknown, or more than the client or the grant has."""

    error: ClassVar[str] = "invalid_scope"
    title = "A scope is unknown or more than was granted"


class InvalidTarget(Malformed):
    """The audience is none that the client may have tokens for (RFC 8707, 2)."""

    error: ClassVar[str] = "invalid_target"
    title = "This client gets no tokens for this audience"


OAuthError = (
    InvalidRequest
    | InvalidClient
    | InvalidGrant
    | UnauthorizedClient
    | UnsupportedGrantType
    | InvalidScope
    | InvalidTarget
)


class SessionEnded(Gone):
    """The refresh token is not good any more: unknown, expired, signed out, or used before."""

    kind = "session-ended"
    title = "This sign-in has ended"
