"""The relay: hands a service's outbox on to the transport, in order, until it is confirmed.

Any number of processes relay one outbox. Each holds what it is about to hand on for a while, so two rarely do the same
work; when they do (one was asleep longer than its hold), the message goes out twice and the inbox drops the second.
Order is kept within a stream: nothing is handed on while something before it waits, whoever holds that.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from itertools import takewhile

from services.chassis.bus.event import Event, Message
from services.chassis.bus.outbox import BATCH, Backlog, Held, Outbox
from services.chassis.bus.transport import Transport
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import DatabaseError
from services.chassis.problems import Unavailable

AT_ONCE = 16
POLL_S = 1.0
BLOCKED_S = 0.05
MEASURE_S, BEHIND_S = 10.0, 60.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.1, 2.0


class Pass(Enum):
    """How one look at the outbox ended."""

    EMPTY = "nothing is left that we could hand on"
    BLOCKED = "others hold what comes first"
    FAILED = "the transport or the database did not answer"


class Relay:
    """Runs between `start` and `stop`. It is woken by commits of its own process, and looks for others' leavings."""

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        *,
        log: Logger,
        metrics: Metrics,
        service: str = "",
        poll_s: float = POLL_S,
        measure_s: float = MEASURE_S,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._log = log
        self._metrics = metrics
        self._service = service
        self._poll_s = poll_s
        self._measure_s = measure_s
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []
        outbox.on_commit(self._woken.set)

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped."""
        return bool(self._tasks)

    def start(self) -> None:
        """Begin to relay."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._run(), name="relay"),
                asyncio.create_task(self._measure(), name="measure outbox"),
            ]

    async def drain(self, within_s: float = 10.0) -> bool:
        """Hand on what there is; returns whether the outbox is empty now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self._until_empty()
        return False

    async def stop(self, within_s: float = 5.0) -> None:
        """Finish what is being handed on, and end. What is left waits in the outbox for the next process."""
        self._stopping.set()
        self._woken.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def backlog(self) -> Backlog:
        """Depth and age of the outbox, for metrics."""
        return await self._outbox.backlog()

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            self._woken.clear()
            ended = await self.once()
            if ended is Pass.FAILED:
                await _wait(self._stopping, pause_s * (0.5 + random.random() / 2))  # noqa: S311 - jitter
                pause_s = min(MOST_PAUSE_S, pause_s * 2)
            else:
                pause_s = FIRST_PAUSE_S
                await _wait(self._woken, BLOCKED_S if ended is Pass.BLOCKED else self._poll_s)

    async def _measure(self) -> None:
        """Tell how much waits: a relay that stands still, or a broker that is away, shows here first."""
        while not self._stopping.is_set():
            with contextlib.suppress(DatabaseError, Unavailable):
                backlog = await self.backlog()
                self._metrics.gauge("outbox.depth", backlog.depth, service=self._service)
                self._metrics.gauge("outbox.age", backlog.age_s, service=self._service)
                if backlog.age_s > BEHIND_S:
                    self._log.warning("outbox.behind", depth=backlog.depth, age_s=round(backlog.age_s))
            await _wait(self._stopping, self._measure_s)

    async def _until_empty(self) -> bool:
        while (ended := await self.once()) is not Pass.EMPTY:  # noqa: ASYNC110 - others change it
            await asyncio.sleep(BLOCKED_S if ended is Pass.BLOCKED else FIRST_PAUSE_S)
        return True

    async def once(self) -> Pass:
        """Hand on what there is until nothing more can be; never raises."""
        try:
            while streams := await self._take(waiting := await self._outbox.waiting()):
                confirmed, failed = await self._hand_on(streams)
                if failed:
                    return Pass.FAILED
                if confirmed == len(waiting) < BATCH:  # that was all; what was added meanwhile has woken us
                    return Pass.EMPTY
        except (DatabaseError, Unavailable) as failure:
            self._log.warning("relay.failed", exc_info=failure)
            return Pass.FAILED
        except Exception:  # noqa: BLE001 - whatever is wrong with one look, there must be another
            self._log.exception("relay.broken")
            return Pass.FAILED
        return Pass.BLOCKED if waiting else Pass.EMPTY

    async def _take(self, waiting: list[Held]) -> list[list[Held]]:
        """The heads of the streams, up to what another relay holds, all of them held by us for a while to come."""
        now = datetime.now(UTC)
        heads = [list(takewhile(lambda held: self._outbox.may_hold(held, now), stream)) for stream in _streams(waiting)]
        lost = await self._outbox.hold([held for head in heads for held in head])
        ours = [list(takewhile(lambda held: held.message.id not in lost, head)) for head in heads]
        return [head for head in ours if head]

    async def _hand_on(self, streams: list[list[Held]]) -> tuple[int, bool]:
        """Publish these and remove what was confirmed; returns how many were, and whether the transport failed at any."""
        confirmed: list[str] = []
        until = asyncio.get_running_loop().time() + self._outbox.sure_s
        taken = await asyncio.gather(*(self._publish(stream, until, confirmed) for stream in streams))
        await self._outbox.remove(confirmed)
        return len(confirmed), not all(taken)

    async def _publish(self, stream: list[Held], until: float, confirmed: list[str]) -> bool:
        """Publish one stream in order, for as long as our hold is sure; returns False where the transport failed."""
        async with self._slots:
            for held in stream:
                if asyncio.get_running_loop().time() > until:
                    return True
                try:
                    await self._carry(held.message)
                except Unavailable as failure:
                    self._log.warning("relay.failed", exc_info=failure)
                    return False
                confirmed.append(held.message.id)
                self._metrics.incr("bus.published", topic=held.message.label)
                self._log.debug("event.published", topic=held.message.label, event_id=held.message.id)
        return True

    async def _carry(self, message: Message) -> None:
        if isinstance(message, Event):
            await self._transport.publish(message)
        else:
            await self._transport.enqueue(message)


async def _wait(event: asyncio.Event, at_most_s: float) -> None:
    """Wait for the event, but not for long. Not `wait_for`: Python 3.11's forgets a cancellation that comes with it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await event.wait()


def _streams(waiting: list[Held]) -> Iterator[list[Held]]:
    streams: defaultdict[str, list[Held]] = defaultdict(list)
    for held in waiting:
        streams[held.stream].append(held)
    for stream in streams.values():
        yield sorted(stream, key=lambda held: held.place)
