"""Everything that can be wrong with a request, as errors without HTTP, and the one place that maps them to it.

A rule raises a `Problem` where it is broken. `as_document` renders it as `application/problem+json` (RFC 9457); nobody
else knows a status. A service refines a problem by subclassing it with a `kind` of its own, which ends its `type`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

from msgspec import Struct

MEDIA_TYPE = "application/problem+json"
MIB = 1024**2


class FieldError(Struct, frozen=True):
    """One wrong field of the input: its path (`guests.0.name`) and a sentence."""

    field: str
    message: str


class Problem(Exception):
    """Something is wrong, and the caller is told what. `extra` members are added to the document (RFC 9457, 3.2)."""

    kind: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        self.extra = extra


class Malformed(Problem):
    """The request can't be read at all."""

    kind = "malformed"
    title = "The request could not be read"


class Unauthenticated(Problem):
    """Nobody, or nobody we believe, is asking."""

    kind = "unauthenticated"
    title = "Sign in first"


class Forbidden(Problem):
    """We know who asks, and they may not."""

    kind = "forbidden"
    title = "You may not do this"


class NotFound(Problem):
    """It is not there, or not yours: the two are not told apart."""

    kind = "not-found"
    title = "There is no such thing here"


class MethodNotAllowed(Problem):
    """The resource is there, the verb is not."""

    kind = "method-not-allowed"
    title = "This can't be done to this resource"


class NotAcceptable(Problem):
    """We can't answer in any format that the caller accepts."""

    kind = "not-acceptable"
    title = "None of the accepted formats is available"


class Conflict(Problem):
    """It collides with the present state."""

    kind = "conflict"
    title = "This collides with the present state"


class Gone(Problem):
    """It was there once: used, expired or withdrawn."""

    kind = "gone"
    title = "This was used or has expired"


class Stale(Problem):
    """The caller changed a version that is no longer the current one."""

    kind = "stale"
    title = "It has changed since you read it"


class TooLarge(Problem):
    """More bytes than the call takes."""

    kind = "too-large"
    title = "The request is too large"

    @classmethod
    def over(cls, limit: int) -> TooLarge:
        """The problem of what has more than this many bytes."""
        return cls(f"This call takes at most {limit / MIB:g} MiB" if limit >= MIB else f"At most {limit} bytes")


class UnsupportedMedia(Problem):
    """A media type or encoding that the call does not take."""

    kind = "unsupported-media-type"
    title = "This media type is not taken here"


class RangeNotSatisfiable(Problem):
    """The part of a file that was asked for begins behind its end."""

    kind = "range-not-satisfiable"
    title = "The file has no such part"


class Invalid(Problem):
    """Well-formed, but wrong: the errors name the fields."""

    kind = "invalid"
    title = "Some of the input is wrong"

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        """The problem of one wrong field."""
        return cls(message, errors=(FieldError(field, message),))


class TooMany(Problem):
    """The caller asks too often; `retry_after_s` says when again."""

    kind = "too-many-requests"
    title = "Too many requests"


class Unavailable(Problem):
    """We, or someone we need, can't answer now; `retry_after_s` says when to try again."""

    kind = "unavailable"
    title = "Not available right now"


STATUS: dict[type[Problem], HTTPStatus] = {
    Malformed: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    Conflict: HTTPStatus.CONFLICT,
    Gone: HTTPStatus.GONE,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Problem: HTTPStatus.INTERNAL_SERVER_ERROR,
}

DEFAULT_RETRY_AFTER_S = 5


def status_of(problem: type[Problem]) -> HTTPStatus:
    """The HTTP status of a problem: its own, or that of the nearest problem it refines."""
    return next(STATUS[kind] for kind in problem.__mro__ if kind in STATUS)


def type_of(problem: type[Problem]) -> str:
    """The stable `type` of a problem, a reference relative to the API's root (RFC 9457, 3.1.1)."""
    return f"/problems/{problem.kind}"


def as_document(problem: Problem, instance: str) -> dict[str, Any]:
    """The problem document (RFC 9457) of one occurrence; `instance` names the request it happened in."""
    status = status_of(type(problem))
    return {
        "type": type_of(type(problem)),
        "title": problem.title,
        "status": int(status),
        "detail": problem.detail,
        "instance": instance,
        "errors": [{"field": error.field, "message": error.message} for error in problem.errors],
        **problem.extra,
    }


def headers_of(problem: Problem) -> dict[str, str]:
    """The headers that go with a problem: `Retry-After` where the status calls for one, and its own."""
    status = status_of(type(problem))
    headers = dict(problem.headers)
    retry_after_s = problem.retry_after_s
    if retry_after_s is None and status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        retry_after_s = DEFAULT_RETRY_AFTER_S
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return headers
