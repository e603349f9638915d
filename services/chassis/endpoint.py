"""Typed handlers on Tornado: everything between a request and a verb, and between what the verb returns and the answer.

A request goes through `prepare` (its operation, its trace, who asks) as soon as its headers are read, then its body arrives in
bounded chunks, then the verb is called with decoded values. Whatever is refused early is answered once the body has been read
and thrown away: closing at once would reset the connection before the client heard why.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct
from tornado.web import RequestHandler, stream_request_body

from services.chassis import context, idempotency, live, negotiation
from services.chassis.answers import Answer, Download, EventStream, Page, Reply, Stream, Upload
from services.chassis.auth import Caller
from services.chassis.bodies import Body
from services.chassis.decoding import decode, given_filename, refuse_encoded
from services.chassis.idempotency import KeyRequired, Once, Reservation
from services.chassis.intake import Received, Sink, StreamedBody
from services.chassis.kept_replies import Asked, Place
from services.chassis.logs import RequestRecord
from services.chassis.mongo import DatabaseAway, DatabaseError, is_away
from services.chassis.negotiation import JSON
from services.chassis.operations import MULTIPART_OVERHEAD, Operation, compile_operation
from services.chassis.paging import PageQuery, list_scope
from services.chassis.problems import (
    MEDIA_TYPE as PROBLEM,
)
from services.chassis.problems import (
    Forbidden,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
    as_document,
    headers_of,
    status_of,
)
from services.chassis.ranges import part_asked_for
from services.chassis.replies import ENCODERS, attachment, reply, unless_held
from services.chassis.serving import Serving

Uses = TypeVar("Uses")
P = TypeVar("P")
HasId = TypeVar("HasId", bound="Identified")

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NO_BODY = b""


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> str:
        """Which one it is."""


@stream_request_body
class Endpoint(RequestHandler, Generic[Uses]):
    """One resource. A subclass has a verb per operation, each declared with `@operation`; `uses` are its use cases."""

    operations: ClassVar[dict[str, Operation]] = {}
    # The media type and the body of what is told of a problem, where a protocol has its own (OAuth); see `present_problem`.
    error_document: ClassVar[tuple[str, type] | None] = None
    # How it finds out itself, where an operation is open to everybody, who asks: a page by the session's cookie, an OAuth
    # endpoint by the client's proof.
    known_by: ClassVar[Literal["session", "client"] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Compile the operations of a new endpoint. Raises TypeError for a verb without `@operation`."""
        super().__init_subclass__(**kwargs)
        cls.operations = dict(cls.operations)
        for method in VERBS:
            verb = cls.__dict__.get(method.lower())
            if verb is not None:
                cls.operations[method] = compile_operation(verb)
                setattr(cls, method.lower(), _answering(verb, cls.operations[method]))
        if "GET" in cls.operations:
            cls.head = cls.get

    def initialize(self, serving: Serving) -> None:
        """Take what this service serves with."""
        self.serving = serving
        self.trusted_caller: Caller | None = None
        self._refusal: Problem | None = None
        self._plan: Operation | None = None
        self._body: Body | StreamedBody | None = None
        self._held: Reservation | None = None
        self._work: asyncio.Task[None] | None = None
        self._overtime = False
        self._begun = False
        self._media = JSON

    @property
    def uses(self) -> Uses:
        """The use cases of this service."""
        return self.serving.uses  # type: ignore[no-any-return]

    @property
    def caller(self) -> Caller:
        """Who asks. Raises `Unauthenticated` on an operation that is open to everybody, when nobody signed in."""
        if self.trusted_caller is None:
            raise Unauthenticated
        return self.trusted_caller

    @property
    def expected_version(self) -> int | None:
        """The version that the caller means to change (`If-Match`); None where it does not say."""
        return negotiation.expected_version(self.request.headers.get("If-Match"))

    @property
    def client_ip(self) -> str:
        """The address the request came from: as the door says it behind the door, the peer's elsewhere."""
        return str(self.request.remote_ip)

    @property
    def user_agent(self) -> str:
        """What the client calls itself, at most 200 characters."""
        return self.request.headers.get("User-Agent", "")[:200]

    @property
    def last_event_id(self) -> int:
        """The number of the last event that a client has seen of a stream it comes back to; 0 where it has seen none."""
        given = self.request.headers.get("Last-Event-ID", "")
        return int(given[:18]) if given.isascii() and given.isdigit() else 0

    @property
    def media_type(self) -> str:
        """The media type that the answer is wanted in: one of those that the operation offers."""
        return self._media

    def intake(self) -> Sink:
        """Where the file goes that a verb gets as `received`: made when its first bytes come, the caller is known then."""
        raise TypeError(f"{type(self).__name__} takes files, and has no place for them")

    def position(self, query: PageQuery, type_: type[P]) -> P | None:
        """Where this page of a list starts; None for the first. Raises `Invalid` for a cursor that is none of ours."""
        if query.cursor is None:
            return None
        return self.serving.cursors.open(query.cursor, type_, self._list(query))

    def page(self, query: PageQuery, items: list[P], next_position: Any | None) -> Page[P]:
        """The page, with the cursor of the one after it."""
        sealed = None if next_position is None else self.serving.cursors.seal(next_position, self._list(query))
        return Page(items, sealed)

    def page_of_all(self, query: PageQuery, everything: Sequence[HasId]) -> Page[HasId]:
        """A page of a list that is short enough to be read whole; where what it went on from is gone, the first."""
        after = self.position(query, str)
        begin = next((row + 1 for row, one in enumerate(everything) if one.id == after), 0)
        shown = list(everything[begin : begin + query.limit])
        return self.page(query, shown, shown[-1].id if begin + query.limit < len(everything) else None)

    def _list(self, query: PageQuery) -> str:
        plan = self._plan
        return list_scope(plan.id if plan else "", self.trusted_caller.sub if self.trusted_caller else "", query)

    # -- before the verb: the headers are read, the body is still to come

    def prepare(self) -> Awaitable[None] | None:
        """Find the operation, carry on the trace, see who asks. What is wrong is remembered, not raised: the body comes yet."""
        method = self.request.method or ""
        plan = self._plan = self.operations.get("GET" if method == "HEAD" else method)
        self._begin(plan)
        if plan is None:
            self._refusal = MethodNotAllowed(headers={"Allow": self._allowed()})
            return None
        self._expect_body(plan)
        if plan.scope is None:
            return None
        return self._authenticate(plan.scope)

    def _begin(self, plan: Operation | None) -> None:
        """Start the clock, carry on the trace, and be counted among the requests in flight."""
        self._began = time.perf_counter()
        headers = self.request.headers
        timeout_s = plan.timeout_s if plan else 1.0
        if (budget := headers.get("X-Request-Timeout-Ms")) is not None and budget.isdigit():
            timeout_s = min(timeout_s, int(budget) / 1000)
        self._timeout_s = timeout_s
        self._context = context.begin(
            headers.get("traceparent"),
            timeout_s=timeout_s,
            operation=plan.id if plan else "",
            service=self.serving.service,
        )
        context.enter(self._context)
        self.deadline = self._context.deadline
        self.serving.requests.began(self)
        self._begun = True

    def _expect_body(self, plan: Operation) -> None:
        if self._is_read:
            return
        limit = plan.body_limit + (MULTIPART_OVERHEAD if plan.takes_file else 0)
        if plan.received:
            self._body = self._streamed_body(limit)
        else:
            self._body = Body(limit, self.serving.budget)
        length = self.request.headers.get("Content-Length", "")
        if length.isdigit():
            self._body.expect(int(length))

    def _streamed_body(self, limit: int) -> StreamedBody:
        headers = self.request.headers
        try:
            refuse_encoded(headers)
        except Problem as problem:
            self._refusal = problem
        content_type = headers.get("Content-Type", "")
        return StreamedBody(limit, content_type, given_filename(self.request.query_arguments), self.intake)

    def _authenticate(self, scope: str) -> Awaitable[None] | None:
        try:
            token = self._token()
        except Problem as problem:
            self._refusal = problem
            return None
        caller = self.serving.verifier.cached(token)
        if caller is None:
            return self._verify(token, scope)
        self._admit(caller, scope)
        return None

    def _token(self) -> str:
        """The bearer token, or the one in the session cookie. A bearer token wins where both come."""
        authorization = self.request.headers.get("Authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() == "bearer" and token:
                return token.strip()
        elif (cookie := self.get_cookie(self.serving.sessions.access_cookie)) is not None:
            self.serving.sessions.check_origin(self.request.method or "", self.request.headers)
            return cookie
        raise Unauthenticated(headers={"WWW-Authenticate": "Bearer"})

    async def _verify(self, token: str, scope: str) -> None:
        try:
            self._admit(await self.serving.verifier.verify(token), scope)
        except Problem as problem:
            self._refusal = problem

    def _admit(self, caller: Caller, scope: str) -> None:
        if scope in caller.scopes:
            self.trusted_caller = caller
        else:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            self._refusal = Forbidden(f"This needs the scope {scope}", headers={"WWW-Authenticate": challenge})

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Take in a piece of the body; more is read once the one that goes to a sink is there."""
        if self._body is None:
            return None
        if self._refusal is not None:
            self._body.discard()
        if isinstance(self._body, StreamedBody):
            return self._hand_on(self._body, chunk)
        if not self._body.receive(chunk):
            self._cut_off()
        return None

    async def _hand_on(self, body: StreamedBody, chunk: bytes) -> None:
        if not await body.receive(chunk):
            self._cut_off()

    def _cut_off(self) -> None:
        self.request.connection.stream.close()  # type: ignore[union-attr]

    # -- around the verb

    async def _answer(self, plan: Operation, verb: Callable[..., Awaitable[Any]], path: dict[str, str]) -> None:
        self._work = asyncio.current_task()
        if plan.takes_file:
            self._begin_anew()
        try:
            await self._perform(plan, verb, path)
        except asyncio.CancelledError:
            if not self._overtime or self._work is None:
                raise
            self._work.uncancel()
            await self._release_key()
            self._send_problem(Unavailable("This took too long"))
        except Problem as problem:
            await self._release_key()
            self._send_problem(problem)
        except Exception as error:  # the boundary: whatever it was, the caller gets a problem and we get a log
            await self._release_key()
            if is_away(error):
                self.serving.log.warning("database.away", method=self.request.method, exc_info=error)
                self._send_problem(DatabaseAway())
                return
            self.serving.log.exception("http.error", method=self.request.method, status=500, exc_info=error)
            self._send_problem(Problem())

    def _begin_anew(self) -> None:
        """A slow line is nobody's fault: the time for an answer counts from when the file is there."""
        self.deadline = time.monotonic() + self._timeout_s
        self._context = msgspec.structs.replace(self._context, deadline=self.deadline)
        context.enter(self._context)

    def end_overtime(self) -> None:
        """Stop the verb's work; the answer is that it took too long."""
        if self._work is not None and not self._overtime and not self._finished:
            self._overtime = True
            ms = round((time.perf_counter() - self._began) * 1000)
            self.serving.log.warning("http.overtime", method=self.request.method, ms=ms)
            self._work.cancel()

    async def _perform(self, plan: Operation, verb: Callable[..., Awaitable[Any]], path: dict[str, str]) -> None:
        if (refusal := self._refusal or (self._body.refused if self._body else None)) is not None:
            raise refusal
        if plan.has_value:
            self._media = negotiation.accepted(self.request.headers.get("Accept"), plan.offered)
        place = await self._place(plan)
        if place is not None and place.reply is not None:
            self.serving.metrics.incr("http.reply_kept", service=self.serving.service, operation=plan.id)
            self._send(self._unless_held(place.reply))
            return
        body = self._body.take() if isinstance(self._body, Body) else NO_BODY
        arguments = {**path, **decode(plan, self.request.query_arguments, self.request.headers, body)}
        if plan.upload:
            body = NO_BODY  # its file is among the arguments, and once is enough in memory
        if isinstance(self._body, StreamedBody):
            arguments["received"] = self._body.whole()
        if plan.once:
            once = await self._once(plan, arguments, body)
            if isinstance(once, Reply):
                self._send(once, replayed=True)
                return
            arguments["once"] = once
        result = await verb(self, **arguments)
        if plan.once and not arguments["once"].kept:
            raise RuntimeError(f"{plan.id} was given a Once and did not keep it")
        await self._send_result(plan, result, place)

    async def _place(self, plan: Operation) -> Place | None:
        """Where the reply is kept, or will be; None where such replies are not kept."""
        if not plan.kept or self.serving.kept is None or self.trusted_caller is None:
            return None
        return await self.serving.kept.look(
            Asked(plan.id, self.request.uri or "", self.trusted_caller.sub, self._media)
        )

    # -- Idempotency-Key

    async def _once(self, plan: Operation, arguments: dict[str, Any], body: bytes) -> Once[Any] | Reply:
        key = self.request.headers.get(idempotency.HEADER)
        if key is None:
            if plan.key_required:
                raise KeyRequired(f"Send an {idempotency.HEADER} with this call")
            return Once()
        keys = self.serving.keys
        if keys is None:
            raise TypeError(f"{plan.id} takes a Once, and its service has no database to keep answers in")
        digest = idempotency.digest(self.request.uri or "", *_input_of(arguments, body))
        sub = self.trusted_caller.sub if self.trusted_caller else ""
        reserved = await keys.reserve(plan.id, sub, key, digest)
        if isinstance(reserved, Reply):
            return reserved
        self._held = reserved
        return Once(keys, reserved, lambda answer: self._encode(plan, answer))

    async def _release_key(self) -> None:
        held, self._held = self._held, None
        if held is not None and self.serving.keys is not None:
            with contextlib.suppress(DatabaseError):  # away: the key is free when its lease ends
                await self.serving.keys.release(held)

    # -- after the verb

    async def _send_result(self, plan: Operation, result: Any, place: Place | None) -> None:
        match result:
            case EventStream():
                await self._send_events(result)
            case Stream():
                await self._send_stream(result)
            case Download():
                await self._send_download(result)
            case _ if not self._finished:
                made = self._encode(plan, result)
                if place is not None:
                    place.keep(made)
                self._send(self._unless_held(made))

    def _encode(self, plan: Operation, result: Any) -> Reply:
        answer = result if isinstance(result, Answer) else Answer(result)
        for cookie in answer.cookies:
            self._set_session_cookie(cookie.name, cookie.value, cookie.max_age_s)
        return reply(answer, plan.status, self._media, is_read=self._is_read)

    @property
    def _is_read(self) -> bool:
        return self.request.method in {"GET", "HEAD"}

    def _unless_held(self, made: Reply) -> Reply:
        return unless_held(made, self.request.headers.get("If-None-Match")) if self._is_read else made

    def _send(self, answer: Reply, *, replayed: bool = False) -> None:
        self.set_status(answer.status)
        for name, value in answer.headers.items():
            self._headers[name] = value
        if replayed:
            self._headers["Idempotency-Replayed"] = "true"
            self.serving.metrics.incr("idempotency.replayed", service=self.serving.service)
        self._keep_private()
        if answer.body:
            self._write_buffer.append(answer.body)
        self.finish()

    def _keep_private(self) -> None:
        """What was made for one caller is kept by nobody in between."""
        if self.trusted_caller is not None:
            self._headers.setdefault("Cache-Control", "private, no-cache")
            self._headers.setdefault("Vary", "Accept, Authorization, Cookie")

    def _send_problem(self, problem: Problem) -> None:
        if self._headers_written:
            self._cut_off()
            return
        self.clear()
        status, headers, body = self.present_problem(problem)
        self.set_status(status)
        for name, value in headers.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")
        self.write(body)
        self.finish()

    def present_problem(self, problem: Problem) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body that tell of a problem; a protocol with errors of its own (OAuth) overrides this."""
        document = as_document(problem, instance=self.request.path)
        headers = {**headers_of(problem), "Content-Type": PROBLEM}
        return self.status_for(type(problem)), headers, ENCODERS[JSON](document)

    @classmethod
    def status_for(cls, problem: type[Problem]) -> int:
        """The status of an answer that tells of such a problem."""
        return int(status_of(problem))

    async def _send_stream(self, stream: Stream) -> None:
        self.deadline = math.inf
        self._headers.update({**stream.headers, "Content-Type": stream.media_type})
        if stream.filename is not None:
            self.set_header("Content-Disposition", attachment(stream.filename))
        self._keep_private()
        async for chunk in stream.chunks:
            await self._write_chunk(chunk)
        self.finish()

    async def _send_download(self, download: Download) -> None:
        self.deadline = math.inf
        tag = f'"{download.tag}"'
        asked = self.request.headers.get("Range") if self.request.headers.get("If-Range", tag) == tag else None
        part = part_asked_for(asked, download.size)
        if not part.is_whole:
            self.set_status(HTTPStatus.PARTIAL_CONTENT)
            self.set_header("Content-Range", part.content_range)
        for name, value in {
            "Content-Type": download.media_type,
            "Content-Disposition": attachment(download.filename),
            "Content-Length": str(part.end - part.start),
            "Accept-Ranges": "bytes",
            "Etag": tag,
            "Cache-Control": "private, no-store",
        }.items():
            self.set_header(name, value)
        if self.request.method != "HEAD":
            async for chunk in download.read(part.start, part.end):
                await self._write_chunk(chunk)
        self.finish()

    async def _send_events(self, stream: EventStream) -> None:
        self.deadline = math.inf
        expires_at = self.trusted_caller.expires_at if self.trusted_caller else None
        for name, value in live.HEADERS.items():
            self.set_header(name, value)
        await live.send(stream.source, self._write_chunk, until=expires_at, draining=self.serving.requests.draining)
        if not self._finished:
            self.finish()

    async def _write_chunk(self, chunk: bytes) -> None:
        self.write(chunk)
        await self.flush()

    def _set_session_cookie(self, name: str, value: str, max_age_s: int | None) -> None:
        secure = self.serving.sessions.secure
        if max_age_s == 0:  # Tornado leaves out a Max-Age of zero, which would keep the cookie
            self.clear_cookie(name, path="/", httponly=True, secure=secure, samesite="Lax")
            return
        self.set_cookie(name, value, max_age=max_age_s, path="/", httponly=True, secure=secure, samesite="Lax")

    # -- Tornado's own hooks

    async def options(self, **path: str) -> None:
        """Say which verbs there are; to a browser that asks before a page of another site calls, whether it may."""
        self.set_status(204)
        self.set_header("Allow", self._allowed())
        if "Access-Control-Request-Method" in self.request.headers and self.known_by != "session":
            origin = self.request.headers.get("Origin")
            self._headers.update(self.serving.origins.preflight_headers(origin, self.operations))
        self.finish()

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Send what is written; before the first of it, say whether pages of other sites may read it."""
        if self.serving.origins and self.known_by != "session" and not self._headers_written:
            known = self._headers.get("Vary")
            self._headers["Vary"] = f"{known}, Origin" if known else "Origin"
            self._headers.update(self.serving.origins.answer_headers(self.request.headers.get("Origin")))
        return super().flush(include_footers)

    def _allowed(self) -> str:
        verbs = [*self.operations, "OPTIONS"]
        return ", ".join(["HEAD", *verbs] if "GET" in self.operations else verbs)

    def clear(self) -> None:
        """Start an answer from the headers that every answer has."""
        super().clear()
        self._headers["Server"] = "Runnerly"
        self._headers["Content-Type"] = JSON
        self._headers["X-Content-Type-Options"] = "nosniff"

    def compute_etag(self) -> str | None:
        """No tag by digest: `_encode` sets the ones we mean."""
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tell of what Tornado itself refuses (a verb, a path it can't decode), at times before `prepare`, as a problem too."""
        if not self._begun:
            self._begin(None)
        self._send_problem(self._refusal or self._refused_by_tornado(status_code))

    def _refused_by_tornado(self, status_code: int) -> Problem:
        headers = {"Connection": "close"}  # what it will do, having answered before the body was read
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed(headers={"Allow": self._allowed(), **headers})
        return Malformed(headers=headers) if status_code == HTTPStatus.BAD_REQUEST else Problem(headers=headers)

    def log_exception(self, *args: Any) -> None:
        """Nothing more: `_answer` has logged what needs a look."""

    def on_connection_close(self) -> None:
        """The client has left; what it sent is let go."""
        super().on_connection_close()
        if not self._finished:
            self._ended()

    def on_finish(self) -> None:
        """Count and log the request."""
        self._ended()
        plan = self._plan
        operation = plan.id if plan else "unknown"
        status = self.get_status()
        elapsed_ms = (time.perf_counter() - self._began) * 1000
        serving = self.serving
        serving.metrics.timing("http.request", elapsed_ms, service=serving.service, operation=operation, status=status)
        serving.logs.request(
            RequestRecord(
                serving.service,
                operation,
                status,
                elapsed_ms,
                self._context.trace_id,
                self.trusted_caller.sub if self.trusted_caller else "",
            )
        )

    def _ended(self) -> None:
        if isinstance(self._body, StreamedBody):
            self.serving.requests.look_after(self._body.close())
        elif self._body is not None:
            self._body.close()
        self.serving.requests.ended(self)

    def _log(self) -> None:
        """Nothing: `on_finish` logs."""


def _input_of(arguments: dict[str, Any], body: bytes) -> tuple[str, bytes]:
    """What tells the input of a request from another's: the name and the bytes (or their digest) of its file, or its body."""
    upload: Upload | None = arguments.get("upload")
    received: Received[Any] | None = arguments.get("received")
    if upload is not None:
        return upload.filename, upload.content
    if received is not None:
        return received.filename, received.sha256.encode()
    return "", body


def _answering(verb: Callable[..., Awaitable[Any]], plan: Operation) -> Callable[..., Awaitable[None]]:
    @wraps(verb)
    async def answer(self: Endpoint[Any], **path: str) -> None:
        await self._answer(plan, verb, path)

    return answer


class Route(Struct, frozen=True):
    """A path with `{parameters}`, and the endpoint that answers there."""

    path: str
    endpoint: type[Endpoint[Any]]

    @property
    def pattern(self) -> str:
        """The path as a regular expression; a parameter is one segment."""
        return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path))


class Nowhere(Endpoint[Any]):
    """Every path that no route has."""

    def prepare(self) -> Awaitable[None] | None:
        """Refuse it, once the body has been read and thrown away."""
        super().prepare()
        self._refusal = NotFound()
        return None
