"""The port to whatever carries messages: five ways to talk, and what an operator needs when one goes wrong.

`tests/contract/bus` says what every transport must keep: nothing confirmed is lost, everything is delivered at least
once, a failing message comes back later and later and is then parked, where it can be seen and replayed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from services.chassis.bus.event import Event, Job, Message
from services.chassis.problems import Unavailable

Data: TypeAlias = Mapping[str, Any]
EventHandler: TypeAlias = Callable[[Event], Awaitable[None]]
JobHandler: TypeAlias = Callable[[Job], Awaitable[None]]
Listener: TypeAlias = Callable[[Data], Awaitable[None]]
Responder: TypeAlias = Callable[[Data], Awaitable[Data]]

EVENT_LIMIT_S = 300.0
JOB_LIMIT_S = 6 * 3600.0


class BusUnavailable(Unavailable):
    """The message could not be handed over: nobody may assume that it will arrive."""

    kind = "bus-unavailable"
    title = "The message bus does not answer right now"


class RequestTimedOut(Unavailable):
    """Nobody answered the request in time. It may have been worked on all the same."""

    kind = "request-timed-out"
    title = "Nobody answered in time"


class RequestFailed(Unavailable):
    """The responder failed; `detail` is what it said."""

    kind = "request-failed"
    title = "The request could not be answered"


class Poison(Exception):
    """Raised by a handler that knows that trying again will not help: the message is parked at once."""


class Parked(Struct, frozen=True):
    """A message that was given up. `queue` is where it was to be handled (`events.training`, `jobs.mail`)."""

    id: str
    queue: str
    message: Message | None
    attempts: int
    error: str
    parked_at: datetime


class Transport(Protocol):
    """Carries messages between processes. All its tasks run between `start` and `stop`."""

    async def start(self) -> None:
        """Begin to work. Returns at once; whoever needs the connection waits for it within their own time-out."""

    async def stop(self, within_s: float = 10.0) -> None:
        """Take nothing new, let handlers finish for so long, hand the rest back and let go of the connection."""

    async def check(self) -> None:
        """Return when the other side answers; raises `BusUnavailable`."""

    async def publish(self, event: Event) -> None:
        """Return when the event is safe for every group subscribed to its topic; raises `BusUnavailable`."""

    async def subscribe(
        self, group: str, topics: Sequence[str], handler: EventHandler, *, concurrency: int = 4
    ) -> None:
        """From now on the group hears these topics (`activity.imported`, or `activity.*` for all of an aggregate).

        The subscription is durable: what is published while no process of the group runs is kept for it. Each event
        is handled by one process of the group. A group has one list of topics: the last one subscribed.
        """

    async def enqueue(self, job: Job) -> None:
        """Return when the job is safe in its queue; raises `BusUnavailable`."""

    async def work(
        self, queue: str, handler: JobHandler, *, concurrency: int = 1, limit_s: float = JOB_LIMIT_S
    ) -> None:
        """Handle the jobs of this queue, so many at once, each for so long at most, in competition with others."""

    async def broadcast(self, channel: str, data: Data) -> None:
        """Tell every process that listens at this moment; nothing is kept for the others."""

    async def listen(self, channel: str, listener: Listener) -> None:
        """Hear what is broadcast on this channel from now on."""

    async def request(self, name: str, data: Data, *, timeout_s: float) -> Data:
        """Ask whoever responds to this name, once; raises `RequestTimedOut`, `RequestFailed`, `BusUnavailable`."""

    async def respond(self, name: str, responder: Responder, *, concurrency: int = 4) -> None:
        """Answer requests of this name, in competition with other processes."""

    async def parked(self, queue: str | None = None, *, limit: int = 100) -> list[Parked]:
        """What was given up, oldest first."""

    async def replay(self, *, queue: str | None = None, ids: Sequence[str] | None = None) -> int:
        """Put parked messages back, with all their attempts before them; returns how many. No filter means all."""

    async def forget(self, sub: str) -> int:
        """Remove this person's waiting and parked messages; returns how many. What is being handled is left."""
