"""Requests and replies, for either transport: what goes over the wire, and who waits for which reply."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from services.chassis import context
from services.chassis.bus.transport import Data, RequestFailed, RequestTimedOut, Responder
from services.chassis.logs import Logger
from services.chassis.problems import Problem


class Request(Struct, frozen=True):
    """A question: where the reply is to go, and until when (Unix time) somebody waits for it."""

    id: str
    name: str
    reply_to: str
    until: float
    traceparent: str | None
    data: dict[str, Any]


class Reply(Struct, frozen=True):
    """Its answer, or the sentence that says why there is none."""

    id: str
    data: dict[str, Any] | None
    error: str | None = None


class Calls:
    """The requests of this process that wait for their replies."""

    def __init__(self, reply_to: str) -> None:
        self.reply_to = reply_to
        self._waiting: dict[str, asyncio.Future[Reply]] = {}

    async def call(self, name: str, data: Data, timeout_s: float, send: Callable[[Request], Awaitable[None]]) -> Data:
        """Send the request and wait for its reply, both within the time-out."""
        request = Request(
            secrets.token_hex(16), name, self.reply_to, time.time() + timeout_s, context.traceparent(), dict(data)
        )
        self._waiting[request.id] = reply = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await send(request)
                return _data(await reply)
        except TimeoutError as late:
            raise RequestTimedOut(f"{name} was not answered within {timeout_s:g} s") from late
        finally:
            del self._waiting[request.id]

    def answered(self, reply: Reply) -> None:
        """A reply came. One that nobody waits for any more is dropped."""
        waiting = self._waiting.get(reply.id)
        if waiting and not waiting.done():
            waiting.set_result(reply)


async def answer(responder: Responder, request: Request, log: Logger) -> Reply | None:
    """Let the responder answer in the caller's trace and time; None where nobody waits any more."""
    remaining_s = request.until - time.time()
    if remaining_s <= 0:
        return None
    context.enter(context.begin(request.traceparent, timeout_s=remaining_s, operation=request.name))
    try:
        async with asyncio.timeout(remaining_s):
            return Reply(request.id, dict(await responder(request.data)))
    except TimeoutError:
        return None
    except Problem as problem:
        return Reply(request.id, None, problem.detail)
    except Exception:
        log.exception("responder.failed", request=request.name)
        return Reply(request.id, None, "The responder failed")


def _data(reply: Reply) -> Data:
    if reply.data is None:
        raise RequestFailed(reply.error or "")
    return reply.data


encode = msgspec.json.encode
decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder(Reply).decode
