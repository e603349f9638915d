"""What the bus has on the broker, by name, and the messages as the broker carries them.

    events (topic) ---- topics of a group ----> events.<group>   ---+
    (default) --------------------------------> jobs.<queue>     ---+--> a worker --> done
    (default) --------------------------------> calls.<name>        |       |  |
    told (direct) --- channels of a process --> its own queue       |       |  +--> parked (fanout) --> parked
                                                                    +<------+
    delay.<ms> (fanout) --> delay.<ms> --- when its time is over, to the default exchange, by its routing key

The arguments of a queue are constants: a broker refuses to declare a queue again with others. So it is the worker that
counts attempts, and what depends on settings (a delay, a deadline) is a property of the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aio_pika import DeliveryMode, ExchangeType
from aio_pika import Message as Envelope
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from msgspec import Struct

from services.chassis.bus.event import Message, encode, readable
from services.chassis.bus.transport import Parked

DELAYS_MS = tuple(64 * 2**step for step in range(14))  # up to nine minutes
HELD_EXPIRES = 4
DEFAULT_EXCHANGE = ""


class Mail(Struct, frozen=True):
    """A message on its way: its bytes, whom it is about, and how often it failed until now."""

    body: bytes
    sub: str | None
    failures: int

    @classmethod
    def of(cls, message: Message) -> Mail:
        """A message that nobody tried yet."""
        return cls(encode(message), message.sub, 0)

    @classmethod
    def received(cls, incoming: AbstractIncomingMessage) -> Mail:
        """The message that came."""
        sub = incoming.headers.get("sub")
        return cls(incoming.body, sub if isinstance(sub, str) else None, _number(incoming.headers.get("failures")))

    @property
    def message(self) -> Message | None:
        """What is in it; None where that can't be read."""
        return readable(self.body)

    def envelope(self, *, failures: int | None = None, delay_s: float | None = None, **headers: Any) -> Envelope:
        """How the broker is to carry it: to disk, and for `delay_s` at most where it waits for its time."""
        return Envelope(
            self.body,
            delivery_mode=DeliveryMode.PERSISTENT,
            content_type="application/json",
            expiration=delay_s,
            headers={"failures": self.failures if failures is None else failures, "sub": self.sub, **headers},
        )


class Names(Struct, frozen=True):
    """The names of exchanges and queues, all with the prefix of one deployment."""

    prefix: str

    def __call__(self, name: str) -> str:
        """The full name of `jobs.mail`."""
        return f"{self.prefix}.{name}"

    def short(self, name: str) -> str:
        """The name without the prefix."""
        return name.removeprefix(f"{self.prefix}.")

    async def declare_exchanges(self, channel: AbstractChannel) -> None:
        """Declare what every process needs."""
        await channel.declare_exchange(self("events"), ExchangeType.TOPIC, durable=True)
        await channel.declare_exchange(self("told"), ExchangeType.DIRECT, durable=True)
        await channel.declare_exchange(self("parked"), ExchangeType.FANOUT, durable=True)
        await (await self.declare_parked(channel)).bind(self("parked"))

    async def declare_parked(self, channel: AbstractChannel) -> AbstractQueue:
        """The queue of what was given up."""
        return await channel.declare_queue(self("parked"), durable=True)

    async def declare_work(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        """A queue of events or jobs, of the virtual host's default type.

        Not a quorum queue by our own word: on a broker of one node these can be left without a leader by a `kill -9`
        (seen with 3.10, rabbitmq-server#10070). A cluster sets its virtual host's default type to quorum.
        """
        arguments: dict[str, Any] = {"x-dead-letter-exchange": self("parked")}
        return await channel.declare_queue(self(name), durable=True, arguments=arguments)

    async def declare_group(self, channel: AbstractChannel, name: str, topics: Sequence[str]) -> AbstractQueue:
        """A queue of events, with the topics that it hears."""
        queue = await self.declare_work(channel, name)
        for topic in topics:
            await queue.bind(self("events"), topic)
        return queue

    async def declare_calls(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        """A queue of requests. They expire soon: nothing is kept on disk."""
        return await channel.declare_queue(self(name), durable=True)

    async def declare_own(self, channel: AbstractChannel, name: str, channels: Sequence[str]) -> AbstractQueue:
        """A process's own queue of what is told to all. It goes with the connection."""
        queue = await channel.declare_queue(self(name), exclusive=True, auto_delete=True)
        for each in channels:
            await queue.bind(self("told"), each)
        return queue

    async def declare_delay(self, channel: AbstractChannel, delay_s: float) -> str:
        """The exchange for waiting so long; what waited goes on to the queue that its routing key names.

        Only the head of a queue expires, so delays share one within a factor of two: none waits twice as long as asked.
        """
        bucket_ms = next((ms for ms in DELAYS_MS if ms >= delay_s * 1000), DELAYS_MS[-1])
        return (await self._declare_delay(channel, bucket_ms)).name

    async def declare_delays(self, channel: AbstractChannel) -> list[AbstractQueue]:
        """All queues in which messages wait for their next attempt."""
        return [await self._declare_delay(channel, bucket_ms) for bucket_ms in DELAYS_MS]

    async def _declare_delay(self, channel: AbstractChannel, bucket_ms: int) -> AbstractQueue:
        name = self(f"delay.{bucket_ms}")
        await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)
        queue = await channel.declare_queue(name, durable=True, arguments={"x-dead-letter-exchange": DEFAULT_EXCHANGE})
        await queue.bind(name)
        return queue

    async def declare_held(self, channel: AbstractChannel, name: str, queue: str, lease_s: float) -> AbstractQueue:
        """A queue for one long job: a copy in it goes back to `queue` when it was not renewed in time."""
        lease_ms = int(lease_s * 1000)
        arguments: dict[str, Any] = {
            "x-message-ttl": lease_ms,
            "x-expires": HELD_EXPIRES * lease_ms,
            "x-dead-letter-exchange": DEFAULT_EXCHANGE,
            "x-dead-letter-routing-key": self(queue),
        }
        return await channel.declare_queue(self(name), durable=True, arguments=arguments)

    def as_parked(self, incoming: AbstractIncomingMessage) -> Parked:
        """What was given up, by a worker or (without a word) by the broker."""
        mail, headers = Mail.received(incoming), incoming.headers
        message = mail.message
        return Parked(
            id=message.id if message else incoming.message_id or "",
            queue=str(headers.get("queue") or self.short(_died_in(headers))),
            message=message,
            attempts=_number(headers.get("failures")),
            error=str(headers.get("error") or "The broker gave it up"),
            parked_at=datetime.fromtimestamp(_number(headers.get("parked_at_ms")) / 1000, UTC),
        )


def hears(topics: Sequence[str], topic: str) -> bool:
    """Whether one of the topics (`activity.imported`, `activity.*`) is this one."""
    return topic in topics or f"{topic.partition('.')[0]}.*" in topics


def _died_in(headers: Mapping[str, Any]) -> str:
    deaths = headers.get("x-death")
    return str(deaths[0].get("queue", "")) if isinstance(deaths, list) and deaths else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
