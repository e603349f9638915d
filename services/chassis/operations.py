"""The declaration above a verb: its operation id, its scope, and the types that its signature already says.

A verb's parameters are injected by name: `query`, `body` and `form` are structs, `upload` is an `Upload`, `received` a file
that went to a sink while it came (`Received`), `once` is a `Once`; every other name is a path parameter. What it returns is
its answer's type. From this the chassis decodes, validates, authorises, encodes, measures, and writes the OpenAPI document.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from services.chassis.answers import Answer, Download, EventStream, File, Stream
from services.chassis.intake import MULTIPART_OVERHEAD, Received, Upload
from services.chassis.negotiation import JSON, MSGPACK
from services.chassis.problems import Problem
from services.chassis.scopes import SCOPES

KIB, MIB, GIB = 1024, 1024**2, 1024**3
JSON_LIMIT = MIB
UPLOAD_LIMIT = 64 * MIB
TIMEOUT_S = 30.0
ARCHIVE_LIMIT = 2 * GIB
VALUE_MEDIA = (JSON, MSGPACK)
INJECTED = frozenset({"query", "body", "form", "upload", "received", "once"})

Verb = Callable[..., Awaitable[Any]]
Answering = Callable[..., Awaitable[None]]
"""What becomes of a declared verb when its class is made: it answers the request, and returns nothing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is known of one verb of one endpoint before any request comes. Limits are in bytes, times in seconds."""

    id: str
    scope: str | None
    status: int
    summary: str
    description: str
    problems: tuple[type[Problem], ...]
    path: tuple[str, ...]
    query: type[msgspec.Struct] | None
    body: Any
    form: type[msgspec.Struct] | None
    upload: bool
    received: bool
    once: bool
    key_required: bool
    returns: Any
    body_limit: int
    timeout_s: float
    decode_body: Callable[[bytes], Any] | None
    redirects: bool = False
    also: str | None = None
    kept: bool = False

    @property
    def offered(self) -> tuple[str, ...]:
        """The media types that a value is offered in, and the one that a stream is offered in beside them."""
        return VALUE_MEDIA if self.also is None else (*VALUE_MEDIA, self.also)

    @property
    def takes_body(self) -> bool:
        """Whether a request's body is read at all."""
        return self.body is not None or self.form is not None or self.takes_file

    @property
    def request_limit(self) -> int:
        """The bytes that its whole request body may have, with what a form has around a file."""
        return self.body_limit + (MULTIPART_OVERHEAD if self.takes_file else 0)

    @property
    def takes_file(self) -> bool:
        """Whether the body is a file, into memory or to a sink."""
        return self.upload or self.received

    @property
    def body_optional(self) -> bool:
        """Whether a request without a body is as good: the verb asks for `body: X | None`."""
        return type(None) in typing.get_args(self.body)

    @property
    def has_value(self) -> bool:
        """Whether it answers with a value that has formats, and not with a file or a stream."""
        return self.returns not in {File, Stream, Download, EventStream}


def operation(
    operation_id: str,
    *,
    scope: str | None,
    status: int | None = None,
    problems: tuple[type[Problem], ...] = (),
    key_required: bool = False,
    body_limit: int | None = None,
    timeout_s: float = TIMEOUT_S,
    redirects: bool = False,
    also: str | None = None,
    kept: bool = False,
) -> Callable[[Verb], Answering]:
    """Declare the verb below as an operation.

    `scope=None` lets everybody in. `key_required` refuses a call without `Idempotency-Key` (400). One that
    `redirects` may also send a browser elsewhere (303). One that returns `X | Stream` says with `also` which media type
    its stream has. The reply of one that reads is `kept` where it follows from the caller's own things alone, and from nothing
    else, not the time either. Raises TypeError, at import, for an unknown scope or a signature that can't be injected.
    """
    if scope is not None and scope not in SCOPES:
        raise TypeError(f"operation {operation_id}: there is no scope {scope!r}")
    if not re.fullmatch(r"[a-z][A-Za-z0-9]+", operation_id):
        raise TypeError(f"operation id {operation_id!r} is not a camelCase name")

    def declare(verb: Verb) -> Answering:
        verb.declared = _Declaration(  # type: ignore[attr-defined]
            operation_id, scope, status, problems, key_required, body_limit, timeout_s, redirects, also, kept
        )
        return verb

    return declare


@dataclass(frozen=True, slots=True)
class _Declaration:
    operation_id: str
    scope: str | None
    status: int | None
    problems: tuple[type[Problem], ...]
    key_required: bool
    body_limit: int | None
    timeout_s: float
    redirects: bool
    also: str | None
    kept: bool


def compile_operation(verb: Verb) -> Operation:
    """The operation of a declared verb. Raises TypeError where it was not declared."""
    declared = getattr(verb, "declared", None)
    if not isinstance(declared, _Declaration):
        raise TypeError(f"{verb.__qualname__} has no @operation")
    hints = typing.get_type_hints(verb)
    names = [name for name in inspect.signature(verb).parameters if name != "self"]
    returns = unwrap_answer(_without_stream(hints.get("return", type(None))))
    body, upload, received = hints.get("body"), "upload" in names, "received" in names
    if upload and hints["upload"] is not Upload:
        raise TypeError(f"{verb.__qualname__}: `upload` must be an Upload")
    if received and typing.get_origin(hints["received"]) is not Received:
        raise TypeError(f"{verb.__qualname__}: `received` must be a Received[...]")
    summary, _, description = inspect.cleandoc(verb.__doc__ or "").partition("\n")
    if not summary:
        raise TypeError(f"{verb.__qualname__} has no docstring to be its summary")
    return Operation(
        id=declared.operation_id,
        scope=declared.scope,
        status=declared.status or (204 if returns is type(None) else 200),
        summary=summary.rstrip("."),
        description=description.strip(),
        problems=declared.problems,
        path=tuple(name for name in names if name not in INJECTED),
        query=hints.get("query"),
        body=body,
        form=hints.get("form"),
        upload=upload,
        received=received,
        once="once" in names,
        key_required=declared.key_required,
        returns=returns,
        body_limit=declared.body_limit or _limit_of(upload=upload, received=received),
        timeout_s=declared.timeout_s,
        decode_body=msgspec.json.Decoder(body).decode if body is not None else None,
        redirects=declared.redirects,
        also=declared.also,
        kept=declared.kept,
    )


def _limit_of(*, upload: bool, received: bool) -> int:
    return ARCHIVE_LIMIT if received else UPLOAD_LIMIT if upload else JSON_LIMIT


def _without_stream(returns: Any) -> Any:
    """Of `X | Stream` the X: a stream is another way to say it."""
    choices = [choice for choice in typing.get_args(returns) if choice is not Stream]
    return choices[0] if len(choices) == 1 and Stream in typing.get_args(returns) else returns


def unwrap_answer(returns: Any) -> Any:
    """The type of the value inside `Answer[...]`; any other type is itself."""
    if typing.get_origin(returns) is Answer:
        return typing.get_args(returns)[0]
    return returns
