"""HTTP as our endpoints speak it, on Tornado's handler: what a request says, how its body comes, and how an answer leaves.

It knows nothing of operations. Of Tornado's defaults it has only those that we mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar

from tornado.web import RequestHandler, stream_request_body

from services.chassis import negotiation, problems
from services.chassis.answers import Cookie
from services.chassis.bodies import Body
from services.chassis.intake import StreamedBody
from services.chassis.negotiation import JSON
from services.chassis.origins import NONE, Origins
from services.chassis.problems import Problem
from services.chassis.replies import ENCODERS, Reply, Streamed


@stream_request_body
class HttpHandler(RequestHandler):
    """One request, and the answer to it.

    Whatever is refused early (`_refusal`) is answered once the body has been read and thrown away: closing at once would reset
    the connection before the client heard why.
    """

    # The media type and the body of what is told of a problem, where a protocol has its own (OAuth); see `present_problem`.
    error_document: ClassVar[tuple[str, type] | None] = None

    _refusal: Problem | None = None
    _body: Body | StreamedBody | None = None
    _readers: Origins = NONE  # whose pages may read the answer, besides our own

    # -- what the request says

    @property
    def is_read(self) -> bool:
        """Whether it only reads: then it has no body, and its answer may be one that the caller holds already."""
        return self.request.method in {"GET", "HEAD"}

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

    # -- how its body comes

    def _expect(self, body: Body | StreamedBody) -> None:
        self._body = body
        length = self.request.headers.get("Content-Length", "")
        if length.isdigit():
            body.expect(int(length))

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

    # -- how the answer leaves

    def clear(self) -> None:
        """Start an answer from the headers that every answer has."""
        super().clear()
        self._headers["Server"] = "Runnerly"
        self._headers["Content-Type"] = JSON
        self._headers["X-Content-Type-Options"] = "nosniff"

    def _send(self, reply: Reply) -> None:
        self.set_status(reply.status)
        for name, value in reply.headers.items():
            self._headers[name] = value
        if reply.body:
            self._write_buffer.append(reply.body)
        self.finish()

    async def _send_streamed(self, reply: Streamed) -> None:
        self.set_status(reply.status)
        for name, value in reply.headers.items():
            self.set_header(name, value)
        if reply.chunks is not None:
            async for chunk in reply.chunks:
                await self._send_chunk(chunk)
        self.finish()

    async def _send_chunk(self, chunk: bytes) -> None:
        self.write(chunk)
        await self.flush()

    def _send_problem(self, problem: Problem) -> None:
        if self._headers_written:
            self._cut_off()  # the only way left to say that what was sent is not whole
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
        document = problems.as_document(problem, instance=self.request.path)
        headers = {**problems.headers_of(problem), "Content-Type": problems.MEDIA_TYPE}
        return self.status_for(type(problem)), headers, ENCODERS[JSON](document)

    @classmethod
    def status_for(cls, problem: type[Problem]) -> int:
        """The status of an answer that tells of such a problem."""
        return int(problems.status_of(problem))

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Send what is written; before the first of it, say whether pages of other sites may read it."""
        if self._readers and not self._headers_written:
            known = self._headers.get("Vary")
            self._headers["Vary"] = f"{known}, Origin" if known else "Origin"
            self._headers.update(self._readers.answer_headers(self.request.headers.get("Origin")))
        return super().flush(include_footers)

    def _set_cookie(self, cookie: Cookie, *, secure: bool) -> None:
        if cookie.max_age_s == 0:  # Tornado leaves out a Max-Age of zero, which would keep the cookie
            self.clear_cookie(cookie.name, path="/", httponly=True, secure=secure, samesite="Lax")
            return
        self.set_cookie(
            cookie.name, cookie.value, max_age=cookie.max_age_s, path="/", httponly=True, secure=secure, samesite="Lax"
        )

    # -- what Tornado would do by itself

    def compute_etag(self) -> str | None:
        """No tag by digest: replies have the ones we mean."""
        return None

    def log_exception(self, *args: Any) -> None:
        """Nothing: what needs a look is logged where it becomes a problem."""

    def _log(self) -> None:
        """Nothing: a request is logged with its operation when it has ended."""
