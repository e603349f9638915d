"""Replies that are still true, kept in memory to be given again for as long as nothing that they tell of has changed.

A service that can tell cheaply what a person's things were last changed by (a stamp, another one with each change) need not
make the same reply twice. The stamp is read before a reply is made, and again with each request: what is given again is what
would be made now, whichever process made the change.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.chassis.operations import MIB
from services.chassis.replies import Reply

LARGEST_BYTES = MIB // 2
KEPT_S = 300.0
_BESIDE_BODY = 1024  # about what is kept of a reply besides its body, in bytes

StampOf = Callable[[str], Awaitable[str | None]]
"""What a person's things were last changed by; None where that is not known, and nothing is kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What makes two requests the same one: the operation and the URI say what, `sub` who asks, `media_type` how."""

    operation: str
    uri: str
    sub: str
    media_type: str


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: str
    reply: Reply
    until: float

    @property
    def size(self) -> int:
        return len(self.reply.body) + _BESIDE_BODY


class KeptReplies:
    """The replies that a process keeps of one service; the longest unused go first."""

    def __init__(self, stamp_of: StampOf, *, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._stamp_of = stamp_of
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[Asked, _Kept] = OrderedDict()
        self.bytes = 0

    async def look(self, request: Asked) -> Place:
        """Where the reply to a request is, or would be put once it is made."""
        stamp = await self._stamp_of(request.sub)
        kept = self._kept.get(request)
        if kept is None or kept.stamp != stamp or kept.until < self._clock():
            return Place(self, request, stamp)
        self._kept.move_to_end(request)
        return Place(self, request, stamp, kept.reply)

    def keep(self, request: Asked, stamp: str, reply: Reply) -> None:
        """Keep a reply that was made after the stamp was read."""
        self._drop(request)
        kept = _Kept(stamp, reply, self._clock() + KEPT_S)
        if kept.size > min(LARGEST_BYTES, self._most_bytes):
            return
        self._kept[request] = kept
        self.bytes += kept.size
        while self.bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, request: Asked) -> None:
        kept = self._kept.pop(request, None)
        if kept is not None:
            self.bytes -= kept.size


@dataclass(frozen=True, slots=True)
class Place:
    """Where one reply is kept: `reply`, or None where there is none that is still true."""

    replies: KeptReplies
    request: Asked
    stamp: str | None
    reply: Reply | None = None

    def keep(self, reply: Reply) -> None:
        """Keep the reply that was made."""
        if self.stamp is not None:
            self.replies.keep(self.request, self.stamp, reply)
