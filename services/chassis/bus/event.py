"""What travels on the bus: an `Event` tells what has happened, a `Job` says what is to be done.

Both are values that know how to be bytes (JSON), so that either transport and the outbox carry the same thing. Both
carry the `traceparent` of the request that caused them and the `sub` of the person they are about, by which a
person's messages are found when the person asks to be forgotten.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from services.chassis import context


class Event(Struct, frozen=True, tag="event", tag_field="type"):
    """Something that has happened to one aggregate, told to whoever subscribes to its topic.

    `topic` is `aggregate.happened` (`activity.imported`), `key` the aggregate's id and `version` the aggregate's
    version after it happened; events of one key are relayed in the order of their versions, and a consumer drops one
    that is older than what it has seen. So `data` must be the state to know, not a difference to add. Version 0 is
    for what has no order: it is never dropped.
    """

    id: str
    topic: str
    key: str
    version: int
    occurred_at: datetime
    sub: str | None
    traceparent: str | None
    data: dict[str, Any]

    @classmethod
    def of(cls, topic: str, *, key: str, version: int, data: Mapping[str, Any], sub: str | None = None) -> Event:
        """The event that happens now, in the running request's trace."""
        if topic.count(".") != 1:
            raise ValueError(f"A topic is `aggregate.happened`, not {topic!r}")
        return cls(_new_id(), topic, key, version, _now(), sub, context.traceparent(), dict(data))

    @property
    def label(self) -> str:
        """What it is, for logs and metrics: bounded, never a person's or a thing's id."""
        return self.topic

    @property
    def stream(self) -> str:
        """Whose story it is a part of: the order within a stream is kept."""
        return f"{self.topic.partition('.')[0]}:{self.key}"


class Job(Struct, frozen=True, tag="job", tag_field="type"):
    """Something to be done once, by whichever worker of its `queue` is free. Jobs of one `key` are relayed in order."""

    id: str
    queue: str
    key: str
    created_at: datetime
    sub: str | None
    traceparent: str | None
    data: dict[str, Any]

    @classmethod
    def of(cls, queue: str, data: Mapping[str, Any], *, key: str | None = None, sub: str | None = None) -> Job:
        """A job to be done as soon as possible, in the running request's trace."""
        job_id = _new_id()
        return cls(job_id, queue, key or job_id, _now(), sub, context.traceparent(), dict(data))

    @property
    def label(self) -> str:
        """What it is, for logs and metrics."""
        return self.queue

    @property
    def stream(self) -> str:
        """Whose story it is a part of: the order within a stream is kept."""
        return f"{self.queue}:{self.key}"


Message: TypeAlias = Event | Job

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """The message as JSON."""
    return _encoder.encode(message)


def decode(body: bytes | str) -> Message:
    """The message in these bytes; raises `msgspec.DecodeError` where there is none."""
    return _decoder.decode(body)


def readable(body: bytes | str) -> Message | None:
    """The message in these bytes; None where there is none."""
    try:
        return decode(body)
    except msgspec.DecodeError:
        return None


def _new_id() -> str:
    return secrets.token_hex(16)


def _now() -> datetime:
    return datetime.now(UTC)
