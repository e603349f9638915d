"""What can be wrong with a request to an OAuth endpoint, by the names that RFC 6749 (5.2) and RFC 8707 gave it."""

from __future__ import annotations

from typing import ClassVar

from services.chassis.problems import Gone, Malformed, Unauthenticated


class AuthorizationFault(Malformed):
    """What an app asks of a person wrongly, and is told of at its own address (RFC 6749, 4.1.2.1)."""

    error: ClassVar[str]


class InvalidRequest(AuthorizationFault):
    """A parameter is missing, or comes twice, or makes no sense."""

    error: ClassVar[str] = "invalid_request"
    title = "The request lacks a parameter or has a wrong one"


class InvalidClient(Unauthenticated):
    """The client is not known, or did not prove who it is."""

    error: ClassVar[str] = "invalid_client"
    title = "The client could not be authenticated"


class InvalidGrant(Malformed):
    """The code or the refresh token is not valid: unknown, used, expired, withdrawn, or another client's."""

    error: ClassVar[str] = "invalid_grant"
    title = "The grant is not valid"


class UnsupportedResponseType(AuthorizationFault):
    """Codes are all that is handed out at the authorization endpoint: tokens in an address are read by others."""

    error: ClassVar[str] = "unsupported_response_type"
    title = "The only response type is code"


class UnauthorizedClient(Malformed):
    """The client may not use this grant."""

    error: ClassVar[str] = "unauthorized_client"
    title = "This client may not use this grant"


class UnsupportedGrantType(Malformed):
    """The grant is none of ours."""

    error: ClassVar[str] = "unsupported_grant_type"
    title = "This grant is not supported"


class InvalidScope(AuthorizationFault):
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


def plain(text: str) -> str:
    """A description in the characters that RFC 6749, 4.1.2.1 and 5.2 allow there."""
    return "".join(letter if " " <= letter <= "~" and letter not in '"\\' else "'" for letter in text)


class SessionEnded(Gone):
    """The refresh token is not good any more: unknown, expired, signed out, or used before."""

    kind = "session-ended"
    title = "This sign-in has ended"


class UnknownApp(Malformed):
    """There is no such app, or not at this address: nobody is sent anywhere."""

    kind = "unknown-app"
    title = "This app is not known here"


class QuestionOver(Gone):
    """What a person answers was not asked, or too long ago."""

    kind = "question-over"
    title = "This question is over"
