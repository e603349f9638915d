"""Questions that many ask at once, asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Round(Generic[K, V]):
    """What is asked next, and by when it is."""

    keys: set[K] = field(default_factory=set)
    asking: asyncio.Task[Mapping[K, V]] | None = None


class Together(Generic[K, V]):
    """Asks about many keys at once, and one time after the other.

    Nobody is answered with what was read before they asked: whoever comes while a question is out is part of the next.
    """

    def __init__(self, ask: Callable[[set[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._ask = ask
        self._one_at_a_time = asyncio.Lock()
        self._next: _Round[K, V] | None = None

    async def __call__(self, key: K) -> V | None:
        """What is answered about this; None where nothing is. Raises what asking raises."""
        round_ = self._next = self._next or _Round()
        round_.keys.add(key)
        if round_.asking is None:
            round_.asking = asyncio.create_task(self._answer(round_))
        return (await asyncio.shield(round_.asking)).get(key)

    async def _answer(self, round_: _Round[K, V]) -> Mapping[K, V]:
        async with self._one_at_a_time:
            self._next = None  # whoever asks from now on is not answered by this
            return await self._ask(round_.keys)
