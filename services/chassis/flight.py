"""One errand at a time: whoever comes while it runs waits for the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs an errand once for all who want it now.

    It runs in a context of its own, since the deadline of the request that came first is not that of the others; and
    goes on when one who waits is cancelled.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[T] | None = None

    @property
    def running(self) -> bool:
        """Whether the errand is being run."""
        return self._task is not None and not self._task.done()

    def start(self, errand: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The errand that runs, or a new one."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(errand(), context=Context())
        return self._task

    async def join(self, errand: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the errand that runs, or a new one, comes back with; raises what it raises."""
        return await asyncio.shield(self.start(errand))
