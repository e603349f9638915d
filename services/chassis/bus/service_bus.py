"""What a service is given of the bus: its outbox, and handlers that know the service's inbox and name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

import msgspec

from services.chassis import context
from services.chassis.bus.event import Event, Job
from services.chassis.bus.inbox import Effect, Handler, Inbox
from services.chassis.bus.outbox import Outbox
from services.chassis.bus.relay import Relay
from services.chassis.bus.transport import JOB_LIMIT_S, Data, Listener, Responder, Transport
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import Database

M = TypeVar("M", Event, Job)
A = TypeVar("A")
R = TypeVar("R")
Departed: TypeAlias = Callable[[str], Awaitable[bool]]


class ServiceBus:
    """One service's side of the bus. The transport is the process's: several services may share it.

    Handlers hear each message once, where they can: `..._in_transaction` handlers get the session of the transaction
    that marks the message as seen, and have exactly one effect; the others are marked after they returned, and a crash
    in between runs them again. No handler hears of a person who was deleted: `departed` says who that is.
    """

    def __init__(
        self,
        service: str,
        transport: Transport,
        database: Database,
        *,
        log: Logger,
        metrics: Metrics,
        departed: Departed,
    ) -> None:
        self._service = service
        self._transport = transport
        self._departed = departed
        self._log = log
        self.outbox = Outbox(database)
        self.inbox = Inbox(database)
        self.relay = Relay(self.outbox, transport, log=log, metrics=metrics, service=service)

    def start(self) -> None:
        """Begin to relay the outbox."""
        self.relay.start()

    async def stop(self, within_s: float = 5.0) -> None:
        """Hand on what the last requests added, then end. Call it before the transport's `stop`."""
        if self.relay.running:
            await self.relay.stop()
            await self.relay.drain(within_s)

    async def check(self) -> None:
        """For the heartbeat: raises `BusUnavailable` when the transport does not answer."""
        await self._transport.check()

    async def subscribe(
        self, topics: Sequence[str], handler: Handler[Event], *, name: str = "", concurrency: int = 4
    ) -> None:
        """Hear these topics (`activity.imported`, `activity.*`). A second subscription needs a `name` of its own."""
        group = self._group(name)
        once = self._hearing(self.inbox.afterwards(group, handler))
        await self._transport.subscribe(group, topics, once, concurrency=concurrency)

    async def subscribe_in_transaction(
        self, topics: Sequence[str], effect: Effect[Event], *, name: str = "", concurrency: int = 4
    ) -> None:
        """Hear these topics, with exactly one effect: `effect(session, event)`."""
        group = self._group(name)
        once = self._hearing(self.inbox.in_transaction(group, effect))
        await self._transport.subscribe(group, topics, once, concurrency=concurrency)

    async def enqueue(self, job: Job) -> None:
        """Queue a job now; where it belongs to a change, give it to the outbox instead, in the change's transaction."""
        await self._transport.enqueue(job)

    async def work(
        self, queue: str, handler: Handler[Job], *, concurrency: int = 1, limit_s: float = JOB_LIMIT_S
    ) -> None:
        """Do the jobs of this queue."""
        once = self._hearing(self.inbox.afterwards(queue, handler))
        await self._transport.work(queue, once, concurrency=concurrency, limit_s=limit_s)

    async def work_in_transaction(self, queue: str, effect: Effect[Job], *, concurrency: int = 1) -> None:
        """Do the jobs of this queue, with exactly one effect: `effect(session, job)`."""
        once = self._hearing(self.inbox.in_transaction(queue, effect))
        await self._transport.work(queue, once, concurrency=concurrency)

    async def broadcast(self, channel: str, data: Data) -> None:
        """Tell every process of this service that listens now."""
        await self._transport.broadcast(self._own(channel), data)

    async def listen(self, channel: str, listener: Listener) -> None:
        """Hear what this service's processes (this one too) broadcast."""
        await self._transport.listen(self._own(channel), self._named(listener))

    async def request(self, name: str, data: Data, *, timeout_s: float = 5.0) -> Data:
        """Ask whichever process responds to this name."""
        return await self._transport.request(name, data, timeout_s=context.remaining_s(timeout_s))

    async def respond(self, name: str, responder: Responder) -> None:
        """Answer requests of this name."""
        await self._transport.respond(name, self._named(responder))

    async def forget(self, sub: str) -> int:
        """Remove this person's messages: in our outbox, our inbox and on the bus; returns how many things."""
        ours = await self.outbox.forget(sub) + await self.inbox.forget(sub)
        return ours + await self._transport.forget(sub)

    def _group(self, name: str) -> str:
        return f"{self._service}-{name}" if name else self._service

    def _own(self, channel: str) -> str:
        return f"{self._service}.{channel}"

    def _hearing(self, handler: Handler[M]) -> Handler[M]:
        """The handler, for messages about people who are here: news of somebody who was deleted would bring them back."""
        named = self._named(handler)

        async def handle(message: M) -> None:
            if message.sub is not None and await self._departed(message.sub):
                self._log.info("event.late", topic=message.label, event_id=message.id)
                return
            await named(message)

        return handle

    def _named(self, handler: Callable[[A], Awaitable[R]]) -> Callable[[A], Awaitable[R]]:
        """The handler, in a context that says which service it works for."""

        async def handle(argument: A) -> R:
            if running := context.current():
                context.enter(msgspec.structs.replace(running, service=self._service))
            return await handler(argument)

        return handle
