"""The transport for which the database is enough: the default of the embedded run, with nothing else to start."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.chassis import context
from services.chassis.bus import calling
from services.chassis.bus.calling import Calls, Request
from services.chassis.bus.event import Event, Job
from services.chassis.bus.handling import Handling
from services.chassis.bus.listening import Listeners
from services.chassis.bus.mongo_queue import COLLECTIONS, Queues, Told, reachable
from services.chassis.bus.mongo_watch import POLL_S, Watcher
from services.chassis.bus.mongo_worker import LEASE_S, Worker
from services.chassis.bus.retry import Retry
from services.chassis.bus.transport import (
    EVENT_LIMIT_S,
    JOB_LIMIT_S,
    Data,
    EventHandler,
    JobHandler,
    Listener,
    Parked,
    Responder,
)
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import Database

__all__ = ["COLLECTIONS", "DATABASE", "MongoTransport"]

DATABASE = "runnerly_bus"


class MongoTransport:
    """Messages as documents of the bus's own database, woken by one change stream a process."""

    def __init__(
        self,
        database: Database,
        *,
        log: Logger,
        metrics: Metrics,
        retry: Retry | None = None,
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
    ) -> None:
        self._database = database
        self._queues = Queues(database)
        self._handling = Handling(retry or Retry(), log, metrics)
        self._lease_s = lease_s
        self._workers: dict[str, Worker] = {}
        self._listeners = Listeners(log)
        self._calls = Calls(f"reply.{secrets.token_hex(8)}")
        self._watcher = Watcher(database, self._queues, log=log, ring=self._ring, hand_on=self._hand_on, poll_s=poll_s)

    async def start(self) -> None:
        """Begin to watch."""
        self._watcher.start()
        await self._watcher.watch_channel(self._calls.reply_to, within_s=0)

    async def stop(self, within_s: float = 10.0) -> None:
        """End in good order."""
        await asyncio.gather(*(worker.stop(within_s) for worker in self._workers.values()))
        await self._watcher.stop()
        await self._listeners.stop()

    async def check(self) -> None:
        """One small question to the database."""
        with reachable():
            await self._database.collection("groups").find_one({}, {"_id": 1})

    async def publish(self, event: Event) -> None:
        """Fan out to the groups that hear the topic now."""
        await self._put(event, [f"events.{group}" for group in await self._queues.groups(event.topic)])

    async def subscribe(
        self, group: str, topics: Sequence[str], handler: EventHandler, *, concurrency: int = 4
    ) -> None:
        """Write down what the group hears, and work on its queue."""
        await self._queues.subscribe(group, topics)
        self._work(f"events.{group}", handler, concurrency=concurrency, limit_s=EVENT_LIMIT_S)

    async def enqueue(self, job: Job) -> None:
        """Put it in its queue."""
        await self._put(job, [f"jobs.{job.queue}"])

    async def work(
        self, queue: str, handler: JobHandler, *, concurrency: int = 1, limit_s: float = JOB_LIMIT_S
    ) -> None:
        """Work on the queue."""
        self._work(f"jobs.{queue}", handler, concurrency=concurrency, limit_s=limit_s)

    async def broadcast(self, channel: str, data: Data) -> None:
        """Leave it for a minute where every watcher sees it."""
        await self._queues.tell(channel, data, context.traceparent())

    async def listen(self, channel: str, listener: Listener) -> None:
        """Hear the channel."""
        self._listeners.add(channel, listener)
        await self._watcher.watch_channel(channel)

    async def request(self, name: str, data: Data, *, timeout_s: float) -> Data:
        """A job that expires; its reply is a broadcast that only we listen to."""
        return await self._calls.call(name, data, timeout_s, self._send)

    async def respond(self, name: str, responder: Responder, *, concurrency: int = 4) -> None:
        """Work on the requests of this name."""

        async def handle(job: Job) -> None:
            request = msgspec.convert(job.data, Request)
            reply = await calling.answer(responder, request, self._handling.log)
            if reply:
                await self._queues.tell(request.reply_to, msgspec.to_builtins(reply), request.traceparent)

        self._work(f"calls.{name}", handle, concurrency=concurrency, limit_s=EVENT_LIMIT_S)

    async def parked(self, queue: str | None = None, *, limit: int = 100) -> list[Parked]:
        """What was given up."""
        return await self._queues.parked(queue, limit)

    async def replay(self, *, queue: str | None = None, ids: Sequence[str] | None = None) -> int:
        """Make it due again; whoever works on it finds it within a second."""
        return await self._queues.replay(queue, ids)

    async def forget(self, sub: str) -> int:
        """Remove what waits and what is parked."""
        return await self._queues.forget(sub)

    async def _send(self, request: Request) -> None:
        job = Job(request.id, request.name, request.id, _now(), None, request.traceparent, msgspec.to_builtins(request))
        until = datetime.fromtimestamp(request.until, UTC)
        await self._put(job, [f"calls.{request.name}"], expire_at=until)

    async def _put(self, message: Event | Job, queues: Sequence[str], *, expire_at: datetime | None = None) -> None:
        """Put it in the queues, and wake our own workers without waiting for the stream to say so."""
        await self._queues.put(message, queues, expire_at=expire_at)
        for queue in queues:
            self._ring(queue)

    def _work(self, queue: str, handler: Callable[[Any], Awaitable[None]], *, concurrency: int, limit_s: float) -> None:
        if queue in self._workers:
            raise ValueError(f"Two handlers for {queue}: give one of the subscriptions a name of its own")
        worker = Worker(
            self._queues,
            self._handling,
            queue,
            handler,
            concurrency=concurrency,
            limit_s=limit_s,
            lease_s=self._lease_s,
        )
        self._workers[queue] = worker
        worker.start()
        self._watcher.watch_queue(queue)

    def _ring(self, queue: str) -> None:
        if worker := self._workers.get(queue):
            worker.ring()

    def _hand_on(self, told: Told) -> None:
        content = msgspec.json.decode(told.body)
        if told.channel == self._calls.reply_to:
            self._calls.answered(msgspec.convert(content["data"], calling.Reply))
        else:
            self._listeners.tell(told.channel, content["data"], content["traceparent"])


def _now() -> datetime:
    return datetime.now(UTC)
