"""Calling others over HTTP, so that a slow or dead party costs its callers little.

One client a calling service: in one process a shared pool would let services starve each other. A call never outlives
its request (the deadline in the context), is repeated only where that is safe, and is not made at all while the party's
circuit is open. `request` returns what a party answered, refusals too, and raises `PeerUnavailable` where it did not
answer; `accepted` turns a refusal into a `PeerRefused`.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp

from services.chassis.breaker import Attempt, Breaker, CircuitOpen, State, telling
from services.chassis.http_answers import (
    HttpResponse,
    PeerRefused,
    PeerUnavailable,
    Reason,
    document_of,
    retry_after_s,
)
from services.chassis.http_calls import AWAY, Call, Content, encoded, pause_before_repeat_s
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics

__all__ = ["HttpClient", "HttpResponse", "PeerRefused", "PeerUnavailable", "StreamedResponse"]

TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 2.0
IDLE_TIMEOUT_S = 30.0
# A call that had less time than this tells more about our caller's haste than about the party's health.
FAIR_CHANCE_S = 1.0
# Shorter than the servers' (nginx 75 s, Tornado an hour): else we write to a connection that is just being closed.
KEEP_ALIVE_S = 15.0
# Larger bodies are written piece by piece, so that the loop is not held up.
CHUNK_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_REFUSAL_BYTES = 64 * 1024


class StreamedResponse:
    """An answer whose body is still coming. Read it inside the `async with` that gave it."""

    def __init__(self, call: Call, trial: _Trial, response: aiohttp.ClientResponse) -> None:
        self.party = call.party
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._call = call
        self._trial = trial
        self._response = response

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece, each within the idle time. Raises `PeerUnavailable`."""
        read = 0
        while chunk := await self._next_chunk():
            read += len(chunk)
            _refuse_more(self._call, read)
            yield chunk

    async def accepted(self) -> StreamedResponse:
        """Itself, where it is no refusal. Raises `PeerRefused`."""
        if self.status < 400:
            return self
        refusal = b""
        async for chunk in self.chunks():
            refusal += chunk
            if len(refusal) > MAX_REFUSAL_BYTES:
                break
        raise PeerRefused(self.party, self.status, document_of(refusal))

    async def _next_chunk(self) -> bytes:
        with self._trial.told_apart():
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                return await self._response.content.readany()


class HttpClient:
    """The client of one calling service. Connections are made when first needed; `close` lets them go."""

    def __init__(
        self, service: str, metrics: Metrics, log: Logger, *, new_breaker: Callable[..., Breaker] = Breaker
    ) -> None:
        self._service = service
        self._metrics = metrics
        self._log = log
        self._new_breaker = new_breaker
        self._breakers: dict[str, Breaker] = {}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        party: str,
        json: object = None,
        form: Mapping[str, str] | None = None,
        content: Content | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        idempotent: bool | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> HttpResponse:
        """Call `party` and return its answer, whatever it says short of a 5xx. Raises `PeerUnavailable`.

        The body is one of `json` (encoded), `form` (urlencoded) and `content` (bytes, or an iterable to stream, which
        rules out repeating). `idempotent` tells that the call may be repeated; left out, the method and an
        `Idempotency-Key` decide. `timeout_s` is for all attempts together; the request's deadline may be sooner.
        """
        body, media = encoded(json, form, content)
        call = Call.made(
            method=method,
            url=url,
            party=party,
            headers={**media, **(headers or {})},
            content=body,
            timeout_s=timeout_s,
            idempotent=idempotent,
            max_bytes=max_bytes,
        )
        with self._measured(call) as ending:
            while True:
                outcome = await self._outcome(call)
                pause_s = pause_before_repeat_s(call, outcome, ending.attempts)
                if pause_s is None:
                    return ending.of(outcome)
                self._metrics.incr("outgoing.retry", service=self._service, party=party)
                await asyncio.sleep(pause_s)
                ending.attempts += 1

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        party: str,
        content: Content | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Call `party` once and read its answer as it comes. It must start within `timeout_s`. Raises as `request`."""
        call = Call.made(
            method=method,
            url=url,
            party=party,
            headers=headers or {},
            content=content,
            timeout_s=timeout_s,
            idempotent=False,
            max_bytes=max_bytes,
        )
        with self._measured(call) as ending, self._trial(call) as trial:
            with trial.told_apart():
                async with asyncio.timeout(call.left_s()):
                    response = await self._send(call)
            async with response:
                trial.judge(response)
                ending.status = response.status
                yield StreamedResponse(call, trial, response)

    def state(self, party: str) -> State:
        """The state of a party's circuit."""
        return self._breaker(party).state

    async def close(self) -> None:
        """Let go of every connection. Who calls after that (a handler of the bus, at the drain) finds nobody there."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _outcome(self, call: Call) -> HttpResponse | PeerUnavailable:
        try:
            with self._trial(call) as trial, trial.told_apart():
                async with asyncio.timeout(call.left_s()), await self._send(call) as response:
                    trial.judge(response)
                    body = await _read(call, response)
                return HttpResponse(call.party, response.status, response.headers, body)
        except PeerUnavailable as failure:
            return failure

    async def _send(self, call: Call) -> aiohttp.ClientResponse:
        if call.left_s() <= 0:
            raise TimeoutError
        if self._closed:
            raise PeerUnavailable(call.party, "unreachable")
        if self._session is None:
            self._session = self._new_session()
        content = call.content
        return await self._session.request(
            call.method,
            call.url,
            headers=call.sent_headers(),
            data=io.BytesIO(content) if isinstance(content, bytes) and len(content) > CHUNK_BYTES else content,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        )

    def _new_session(self) -> aiohttp.ClientSession:
        # No limit on connections: calls nest (one calls another that calls the first), and a full pool would deadlock.
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=KEEP_ALIVE_S)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"runnerly-{self._service}"},
        )

    @contextmanager
    def _measured(self, call: Call) -> Iterator[_Ending]:
        """Time and count a call, its repetitions included, by how it ended."""
        started = time.monotonic()
        ending = _Ending()
        try:
            yield ending
        except PeerUnavailable as failure:
            ending.failure = failure
            raise
        finally:
            ms = (time.monotonic() - started) * 1000
            outcome = ending.outcome
            self._metrics.timing("outgoing.call", ms, service=self._service, party=call.party, outcome=outcome)
            if ending.failure is not None:
                why, attempts = str(ending.failure), ending.attempts
                self._log.warning("outgoing.failed", party=call.party, outcome=why, attempts=attempts, ms=round(ms))

    @contextmanager
    def _trial(self, call: Call) -> Iterator[_Trial]:
        """Leave for one attempt."""
        try:
            with self._breaker(call.party).attempt() as attempt:
                yield _Trial(call, attempt)
        except CircuitOpen as refusal:
            raise PeerUnavailable(call.party, "open", wait_s=refusal.wait_s) from refusal

    def _breaker(self, party: str) -> Breaker:
        if party not in self._breakers:
            self._breakers[party] = self._new_breaker(on_change=telling(self._service, party, self._metrics, self._log))
        return self._breakers[party]


@dataclass
class _Ending:
    """How a call ended, for those who count."""

    attempts: int = 1
    status: int | None = None
    failure: PeerUnavailable | None = None

    def of(self, outcome: HttpResponse | PeerUnavailable) -> HttpResponse:
        """The answer; raises what came instead of one."""
        if isinstance(outcome, PeerUnavailable):
            raise outcome
        self.status = outcome.status
        return outcome

    @property
    def outcome(self) -> str:
        """One of a few words."""
        if self.failure is not None:
            return self.failure.reason if self.failure.reason in {"timeout", "open"} else "failed"
        if self.status is None:
            return "cancelled"
        return "ok" if self.status < 400 else "refused"


class _Trial:
    """One attempt at a call: it judges how the party behaved."""

    def __init__(self, call: Call, attempt: Attempt) -> None:
        self._call = call
        self._attempt = attempt
        self._had_a_chance = call.left_s() >= min(0.9 * call.timeout_s, FAIR_CHANCE_S)

    def judge(self, response: aiohttp.ClientResponse) -> None:
        """Take the status of an answer into account. Raises `PeerUnavailable` for a 5xx."""
        status = response.status
        self._attempt.succeeded = status not in AWAY
        if status >= 500:
            raise PeerUnavailable(self._call.party, "failing", status=status, wait_s=retry_after_s(response.headers))

    @contextmanager
    def told_apart(self) -> Iterator[None]:
        """Say in our words what went wrong with a connection, and whether the party is to blame."""
        try:
            yield
        except aiohttp.InvalidURL:
            raise
        except (aiohttp.ClientError, OSError) as failure:
            reason = _reason(failure)
            if reason != "timeout" or self._had_a_chance:
                self._attempt.succeeded = False
            raise PeerUnavailable(self._call.party, reason) from failure


def _reason(failure: Exception) -> Reason:
    if isinstance(failure, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "unreachable"
    return "timeout" if isinstance(failure, TimeoutError) else "broken"


async def _read(call: Call, response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        _refuse_more(call, len(body))
    return bytes(body)


def _refuse_more(call: Call, read: int) -> None:
    """Raise `PeerUnavailable` for more bytes than were asked for."""
    if call.max_bytes is not None and read > call.max_bytes:
        raise PeerUnavailable(call.party, "too-large")
