"""Handlers that tests hand to the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.chassis.bus.event import Event, Job

M = TypeVar("M", Event, Job)


def keep_in(messages: list[M]) -> Callable[[M], Awaitable[None]]:
    """Remember each message."""

    async def handler(message: M) -> None:
        messages.append(message)

    return handler


def fail_times(times: int, messages: list[M]) -> Callable[[M], Awaitable[None]]:
    """Remember each message, and fail on the first so many."""

    async def handler(message: M) -> None:
        messages.append(message)
        if len(messages) <= times:
            raise RuntimeError("not this time")

    return handler


async def ignore(_: object) -> None:
    """Do nothing."""


def imported(number: int = 1, *, version: int = 1, sub: str | None = None) -> Event:
    """An event about activity `number`."""
    return Event.of("activity.imported", key=f"a{number}", version=version, data={"number": number}, sub=sub)


def mail(number: int = 1, *, sub: str | None = None) -> Job:
    """A job of the queue `mail`."""
    return Job.of("mail", {"number": number}, sub=sub)
