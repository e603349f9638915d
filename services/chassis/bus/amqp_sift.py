"""Looking through queues: what an operator may see, replay or remove. AMQP has no such verb, so it is made of get and ack.

What is looked at is taken out and not acknowledged; closing the channel puts it back where it was. Two that look at the
same time see a part each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from services.chassis.bus.amqp_link import Link, answering, close_quietly
from services.chassis.bus.amqp_post import Post
from services.chassis.bus.amqp_queues import Mail, Names
from services.chassis.bus.transport import Parked

LOOK_S = 60.0
MOST = 10_000


class Sifter:
    """Looks through at most 10,000 messages of a queue, within a minute."""

    def __init__(self, link: Link, names: Names) -> None:
        self._link = link
        self._names = names
        self._post = Post(link, names)

    async def parked(self, queue: str | None, limit: int) -> list[Parked]:
        """What was given up, oldest first."""
        found: list[Parked] = []
        async with self._looking() as channel:
            async for incoming in _each(await self._names.declare_parked(channel)):
                parked = self._names.as_parked(incoming)
                if queue in {None, parked.queue}:
                    found.append(parked)
                if len(found) == limit:
                    break
        return found

    async def replay(self, queue: str | None, ids: Sequence[str] | None) -> int:
        """Put parked messages back into their queues."""
        count = 0
        async with self._looking() as channel:
            async for incoming in _each(await self._names.declare_parked(channel)):
                parked = self._names.as_parked(incoming)
                if queue in {None, parked.queue} and (ids is None or parked.id in ids):
                    envelope = Mail.received(incoming).envelope(failures=0)
                    await self._post.to_queue(parked.queue, envelope, self._names.declare_work)
                    await incoming.ack()
                    count += 1
        return count

    async def forget(self, sub: str, queues: Sequence[str]) -> int:
        """Remove a person's messages that are parked, wait for their next attempt, or wait in these queues."""
        count = 0
        async with self._looking() as channel:
            kept_still = [await self._names.declare_parked(channel), *await self._names.declare_delays(channel)]
            for queue in kept_still:
                count += await _remove(queue, sub)
            for name in queues:
                count += await self._remove_from_work(await self._names.declare_work(channel, name), name, sub)
        return count

    async def _remove_from_work(self, queue: AbstractQueue, name: str, sub: str) -> int:
        """Others' messages go to the end of their queue: putting them back would count as a failed delivery."""
        count = 0
        async for incoming in _each(queue):
            mail = Mail.received(incoming)
            if mail.sub == sub:
                count += 1
            else:
                await self._post.to_queue(name, mail.envelope(), self._names.declare_work)
            await incoming.ack()
        return count

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[AbstractChannel]:
        async with answering(LOOK_S):
            channel = await self._link.open()
            try:
                yield channel
            finally:
                await close_quietly(channel)


async def _remove(queue: AbstractQueue, sub: str) -> int:
    count = 0
    async for incoming in _each(queue):
        if Mail.received(incoming).sub == sub:
            await incoming.ack()
            count += 1
    return count


async def _each(queue: AbstractQueue) -> AsyncIterator[AbstractIncomingMessage]:
    """What is in the queue now."""
    waiting = queue.declaration_result.message_count or 0
    for _ in range(min(waiting, MOST)):
        incoming = await queue.get(fail=False)
        if incoming is None:
            return
        yield incoming
