"""The transport for a deployment: RabbitMQ, over AMQP 0-9-1."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from aio_pika import Message as Envelope
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from services.chassis import context
from services.chassis.bus import calling
from services.chassis.bus.amqp_consumer import Consumer
from services.chassis.bus.amqp_hold import HOLD_AFTER_S, LEASE_S
from services.chassis.bus.amqp_link import Link, answering, close_quietly
from services.chassis.bus.amqp_post import Post
from services.chassis.bus.amqp_queues import Mail, Names, hears
from services.chassis.bus.amqp_sift import Sifter
from services.chassis.bus.amqp_worker import Worker
from services.chassis.bus.calling import Calls, Request
from services.chassis.bus.event import Event, Job
from services.chassis.bus.handling import Handling
from services.chassis.bus.listening import Listeners
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

TOLD_PREFETCH = 100


class RabbitTransport:
    """Messages on a broker. `prefix` tells deployments apart that share one."""

    def __init__(
        self,
        url: str,
        *,
        log: Logger,
        metrics: Metrics,
        retry: Retry | None = None,
        prefix: str = "runnerly",
        hold_after_s: float = HOLD_AFTER_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._names = Names(prefix)
        self._link = Link(url, log=log, on_up=self._names.declare_exchanges)
        self._post = Post(self._link, self._names)
        self._sifter = Sifter(self._link, self._names)
        self._handling = Handling(retry or Retry(), log, metrics)
        self._log = log
        self._hold_after_s = hold_after_s
        self._lease_s = lease_s
        self._consumers: dict[str, Consumer] = {}
        self._fed: set[str] = set()
        self._listeners = Listeners(log)
        self._process = secrets.token_hex(8)
        self._calls = Calls(f"reply.{self._process}")
        self._own = Consumer(self._link, self._declare_own, self._told, prefetch=TOLD_PREFETCH, log=log, no_ack=True)

    async def start(self) -> None:
        """Begin to connect."""
        self._link.start()
        await self._own.start(within_s=0)

    async def stop(self, within_s: float = 10.0) -> None:
        """End in good order."""
        await asyncio.gather(*(consumer.stop(within_s) for consumer in self._consumers.values()))
        await self._own.stop(within_s=0)
        await self._listeners.stop()
        await self._link.stop()

    async def check(self) -> None:
        """Open a channel and close it again."""
        async with answering():
            await close_quietly(await self._link.open())

    async def publish(self, event: Event) -> None:
        """To the topic exchange: the broker fans out."""
        await self._post.to_exchange("events", event.topic, Mail.of(event).envelope())

    async def subscribe(
        self, group: str, topics: Sequence[str], handler: EventHandler, *, concurrency: int = 4
    ) -> None:
        """Bind the group's queue to the topics, and work on it.

        AMQP can't tell what a queue was bound to before: an event of a topic that the group gave up is dropped when it
        comes, with its binding.
        """
        queue = f"events.{group}"

        async def hear(event: Event) -> None:
            if hears(topics, event.topic):
                await handler(event)
            else:
                await self._unbind(queue, event.topic)

        async def declare(channel: AbstractChannel) -> AbstractQueue:
            return await self._names.declare_group(channel, queue, topics)

        await self._work(queue, declare, hear, concurrency=concurrency, limit_s=EVENT_LIMIT_S)

    async def enqueue(self, job: Job) -> None:
        """To its queue, which is made where it is not there."""
        queue = f"jobs.{job.queue}"
        await self._post.to_queue(queue, Mail.of(job).envelope(), self._names.declare_work)
        self._fed.add(queue)

    async def work(
        self, queue: str, handler: JobHandler, *, concurrency: int = 1, limit_s: float = JOB_LIMIT_S
    ) -> None:
        """Work on the queue."""
        name = f"jobs.{queue}"

        async def declare(channel: AbstractChannel) -> AbstractQueue:
            return await self._names.declare_work(channel, name)

        await self._work(name, declare, handler, concurrency=concurrency, limit_s=limit_s)

    async def broadcast(self, channel: str, data: Data) -> None:
        """To the queues of all processes that listen."""
        body = msgspec.json.encode({"data": data, "traceparent": context.traceparent()})
        await self._post.to_exchange("told", channel, Envelope(body))

    async def listen(self, channel: str, listener: Listener) -> None:
        """Bind our own queue to the channel; the consumer binds it again whenever it is declared anew."""
        self._listeners.add(channel, listener)
        await self._own.ready()
        if queue := self._own.queue:
            async with answering():
                await queue.bind(self._names("told"), channel)

    async def request(self, name: str, data: Data, *, timeout_s: float) -> Data:
        """A message that expires; its reply is told to us alone."""
        await self._own.ready(timeout_s)
        return await self._calls.call(name, data, timeout_s, self._send)

    async def respond(self, name: str, responder: Responder, *, concurrency: int = 4) -> None:
        """Answer what comes in the queue of this name."""
        queue = f"calls.{name}"

        async def take(incoming: AbstractIncomingMessage) -> None:
            request = calling.decode_request(incoming.body)
            reply = await calling.answer(responder, request, self._log)
            if reply:
                await self._post.to_exchange("told", request.reply_to, Envelope(calling.encode(reply)))
            await incoming.ack()

        async def declare(channel: AbstractChannel) -> AbstractQueue:
            return await self._names.declare_calls(channel, queue)

        await self._consume(queue, declare, take, concurrency)

    async def parked(self, queue: str | None = None, *, limit: int = 100) -> list[Parked]:
        """What was given up."""
        return await self._sifter.parked(queue, limit)

    async def replay(self, *, queue: str | None = None, ids: Sequence[str] | None = None) -> int:
        """Put it back into its queue."""
        return await self._sifter.replay(queue, ids)

    async def forget(self, sub: str) -> int:
        """Remove what is parked, what waits for another attempt, and what waits in queues that we work on or fed."""
        queues = {queue for queue in self._consumers if not queue.startswith("calls.")} | self._fed
        return await self._sifter.forget(sub, sorted(queues))

    async def _work(
        self,
        queue: str,
        declare: Callable[[AbstractChannel], Awaitable[AbstractQueue]],
        handler: Callable[[Any], Awaitable[None]],
        *,
        concurrency: int,
        limit_s: float,
    ) -> None:
        worker = Worker(
            self._link,
            self._names,
            self._handling,
            queue,
            handler,
            limit_s=limit_s,
            hold_after_s=self._hold_after_s,
            lease_s=self._lease_s,
        )
        await self._consume(queue, declare, worker.take, concurrency)

    async def _consume(
        self,
        queue: str,
        declare: Callable[[AbstractChannel], Awaitable[AbstractQueue]],
        take: Callable[[AbstractIncomingMessage], Awaitable[None]],
        concurrency: int,
    ) -> None:
        if queue in self._consumers:
            raise ValueError(f"Two handlers for {queue}: give one of the subscriptions a name of its own")
        consumer = Consumer(self._link, declare, take, prefetch=concurrency, log=self._log)
        self._consumers[queue] = consumer
        await consumer.start()

    async def _unbind(self, queue: str, topic: str) -> None:
        if consumed := self._consumers[queue].queue:
            for given_up in (topic, f"{topic.partition('.')[0]}.*"):
                await consumed.unbind(self._names("events"), given_up)

    async def _send(self, request: Request) -> None:
        envelope = Envelope(calling.encode(request), expiration=max(0.001, request.until - time.time()))
        await self._post.to_queue(f"calls.{request.name}", envelope, self._names.declare_calls)

    async def _declare_own(self, channel: AbstractChannel) -> AbstractQueue:
        channels = [self._calls.reply_to, *self._listeners.channels]
        return await self._names.declare_own(channel, f"process.{self._process}.{secrets.token_hex(4)}", channels)

    async def _told(self, incoming: AbstractIncomingMessage) -> None:
        if incoming.routing_key == self._calls.reply_to:
            self._calls.answered(calling.decode_reply(incoming.body))
        else:
            content = msgspec.json.decode(incoming.body)
            self._listeners.tell(incoming.routing_key or "", content["data"], content["traceparent"])
