"""Typed handlers on Tornado: everything between a request and a verb, and between what the verb returns and the answer.

A request goes through `prepare` (its operation, its trace, who asks) as soon as its headers are read, then its body arrives in
bounded chunks, then the verb is called with decoded values. What HTTP has to do with it is in `http_handler`.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from services.chassis import context, idempotency, live
from services.chassis.admission import admitted, token_in
from services.chassis.answers import Answer, Download, EventStream, Page, Stream
from services.chassis.auth import Caller
from services.chassis.bodies import Body
from services.chassis.decoding import decode, given_filename, refuse_encoded
from services.chassis.http_handler import HttpHandler
from services.chassis.idempotency import KeyRequired, Once
from services.chassis.intake import Sink, StreamedBody
from services.chassis.kept_replies import Asked, Place
from services.chassis.logs import RequestRecord
from services.chassis.mongo import DatabaseAway, is_away
from services.chassis.negotiation import JSON, accepted
from services.chassis.operations import Operation, compile_operation
from services.chassis.paging import HasId, PageQuery, list_scope, part_after
from services.chassis.problems import (
    Malformed,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
)
from services.chassis.replies import Reply, as_it_comes, downloaded, reply, unless_held
from services.chassis.serving import Serving

Uses = TypeVar("Uses")
P = TypeVar("P")

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NO_BODY = b""


class Endpoint(HttpHandler, Generic[Uses]):
    """One resource. A subclass has a verb per operation, each declared with `@operation`; `uses` are its use cases."""

    operations: ClassVar[dict[str, Operation]] = {}
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
        self._plan: Operation | None = None
        self._once: Once[Any] | None = None
        self._work: asyncio.Task[None] | None = None
        self._overtime = False
        self._begun = False
        self._media = JSON
        if self.known_by != "session":
            self._readers = serving.origins

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
    def media_type(self) -> str:
        """The media type that the answer is wanted in: one of those that the operation offers."""
        return self._media

    def check_origin(self) -> None:
        """Raise `CrossSite` where another site sent the browser here; asked before a cookie is believed."""
        self.serving.sessions.check_origin(self.request.method or "", self.request.headers)

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
        return self.page(query, *part_after(self.position(query, str), everything, query.limit))

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
        if not self.is_read:
            self._expect(self._new_body(plan))
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

    def _new_body(self, plan: Operation) -> Body | StreamedBody:
        if not plan.received:
            return Body(plan.request_limit, self.serving.budget)
        headers = self.request.headers
        try:
            refuse_encoded(headers)
        except Problem as problem:
            self._refusal = problem
        filename = given_filename(self.request.query_arguments)
        return StreamedBody(plan.body_limit, headers.get("Content-Type", ""), filename, self.intake)

    def _authenticate(self, scope: str) -> Awaitable[None] | None:
        try:
            token = token_in(self, self.serving.sessions)
            caller = self.serving.verifier.cached(token)
            if caller is None:
                return self._verify(token, scope)
            self.trusted_caller = admitted(caller, scope)
        except Problem as problem:
            self._refusal = problem
        return None

    async def _verify(self, token: str, scope: str) -> None:
        try:
            self.trusted_caller = admitted(await self.serving.verifier.verify(token), scope)
        except Problem as problem:
            self._refusal = problem

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
            await self._fail(Unavailable("This took too long"))
        except Problem as problem:
            await self._fail(problem)
        except Exception as error:  # the boundary: whatever it was, the caller gets a problem and we get a log
            if is_away(error):
                self.serving.log.warning("database.away", method=self.request.method, exc_info=error)
                await self._fail(DatabaseAway())
            else:
                self.serving.log.exception("http.error", method=self.request.method, status=500, exc_info=error)
                await self._fail(Problem())

    async def _fail(self, problem: Problem) -> None:
        if self._once is not None:
            await self._once.release()
        self._send_problem(problem)

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
            self._media = accepted(self.request.headers.get("Accept"), plan.offered)
        place = await self._place(plan) if plan.kept else None
        if place is not None and place.reply is not None:
            self.serving.metrics.incr("http.reply_kept", service=self.serving.service, operation=plan.id)
            self._send_unless_held(place.reply)
            return
        arguments, content = self._arguments(plan, path)
        if plan.once:
            once = await self._reserve(plan, arguments, content)
            if isinstance(once, Reply):
                self._send_again(once)
                return
            self._once = arguments["once"] = once
        del content  # the verb has what it wants of it
        result = await verb(self, **arguments)
        if self._once is not None and not self._once.kept:
            raise RuntimeError(f"{plan.id} was given a Once and did not keep it")
        await self._answer_with(plan, result, place)

    def _arguments(self, plan: Operation, path: dict[str, str]) -> tuple[dict[str, Any], bytes]:
        """What the verb asks for, by name; and the body, where it is not a file among them: once in memory is enough."""
        body = self._body
        content = body.take() if isinstance(body, Body) else NO_BODY
        arguments = {**path, **decode(plan, self.request.query_arguments, self.request.headers, content)}
        if isinstance(body, StreamedBody):
            arguments["received"] = body.whole()
        return arguments, NO_BODY if plan.takes_file else content

    async def _place(self, plan: Operation) -> Place | None:
        """Where the reply is kept, or will be; None where this service keeps none."""
        if self.serving.kept is None or self.trusted_caller is None:
            return None
        return await self.serving.kept.look(
            Asked(plan.id, self.request.uri or "", self.trusted_caller.sub, self._media)
        )

    async def _reserve(self, plan: Operation, arguments: dict[str, Any], content: bytes) -> Once[Any] | Reply:
        """The right to do what this `Idempotency-Key` is for, once; or the reply, where that was done."""
        key = self.request.headers.get(idempotency.HEADER)
        if key is None:
            if plan.key_required:
                raise KeyRequired(f"Send an {idempotency.HEADER} with this call")
            return Once()
        if self.serving.keys is None:
            raise TypeError(f"{plan.id} takes a Once, and its service has no database to keep answers in")
        file = arguments.get("upload") or arguments.get("received")
        where = self.request.path if file else self.request.uri or ""  # a file's name is no input
        digest = idempotency.digest(where, file.told_apart_by if file else content)
        sub = self.trusted_caller.sub if self.trusted_caller else ""
        return await self.serving.keys.reserve(plan.id, sub, key, digest, lambda answer: self._encode(plan, answer))

    # -- after the verb

    async def _answer_with(self, plan: Operation, result: Any, place: Place | None) -> None:
        match result:
            case EventStream():
                self.deadline = math.inf
                await self._send_events(result)
            case Stream():
                self.deadline = math.inf
                self._keep_private()
                await self._send_streamed(as_it_comes(result))
            case Download():
                self.deadline = math.inf
                await self._send_streamed(downloaded(result, self.request.headers, self.request.method or ""))
            case _ if not self._finished:
                made = self._encode(plan, result)
                if place is not None:
                    place.keep(made)
                self._send_unless_held(made)

    def _encode(self, plan: Operation, result: Any) -> Reply:
        answer = result if isinstance(result, Answer) else Answer(result)
        for cookie in answer.cookies:
            self._set_cookie(cookie, secure=self.serving.sessions.secure)
        return reply(answer, plan.status, self._media, is_read=self.is_read)

    def _send_unless_held(self, made: Reply) -> None:
        if self.is_read:
            made = unless_held(made, self.request.headers.get("If-None-Match"))
        self._keep_private()
        self._send(made)

    def _send_again(self, kept: Reply) -> None:
        self.serving.metrics.incr("idempotency.replayed", service=self.serving.service)
        self._headers["Idempotency-Replayed"] = "true"
        self._keep_private()
        self._send(kept)

    async def _send_events(self, stream: EventStream) -> None:
        expires_at = self.trusted_caller.expires_at if self.trusted_caller else None
        for name, value in live.HEADERS.items():
            self.set_header(name, value)
        await live.send(stream.source, self._send_chunk, until=expires_at, draining=self.serving.requests.draining)
        if not self._finished:
            self.finish()

    def _keep_private(self) -> None:
        """What is made for one caller is kept by nobody in between, unless the answer itself says otherwise."""
        if self.trusted_caller is not None:
            self._headers.setdefault("Cache-Control", "private, no-cache")
            self._headers.setdefault("Vary", "Accept, Authorization, Cookie")

    # -- Tornado's own hooks

    async def options(self, **path: str) -> None:
        """Say which verbs there are; to a browser that asks before a page of another site calls, whether it may."""
        self.set_status(204)
        self.set_header("Allow", self._allowed())
        if "Access-Control-Request-Method" in self.request.headers:
            origin = self.request.headers.get("Origin")
            self._headers.update(self._readers.preflight_headers(origin, self.operations))
        self.finish()

    def _allowed(self) -> str:
        verbs = [*self.operations, "OPTIONS"]
        return ", ".join(["HEAD", *verbs] if "GET" in self.operations else verbs)

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
