"""Activities that are to be added, and how those that come at once for one runner are added together.

All changes of a runner's activities wait for each other. What waits while one is being made can be added in one go: most of
what is written with an activity (statistics, records, the catalogue) is then written once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol, TypeAlias

from msgspec import Struct

from services.activities.domain.activity import Activity
from services.activities.domain.heart_rates import steady
from services.activities.domain.problems import DuplicateActivity
from services.activities.parsers.parsed import ParsedActivity
from services.activities.store.documents import Held
from services.activities.store.files import Place
from services.activities.store.originals import Original
from services.activities.store.turns import Turns
from services.chassis.mongo import DatabaseAway, Session

TOGETHER = 16
TOGETHER_BYTES = 4 * 1024 * 1024


class NewActivity(Struct, frozen=True):
    """An activity to add, with what was measured along it, where it came from a file."""

    activity: Activity
    parsed: ParsedActivity | None = None
    takes_default_gear: bool = True

    @property
    def is_sampled(self) -> bool:
        """Whether it has samples, and not only totals."""
        return self.parsed is not None and self.parsed.streams is not None

    def held(self, original: Place | None) -> Held:
        """It as it is kept. Without recorded heart rates the average stands for all the time."""
        activity, parsed = self.activity, self.parsed or ParsedActivity(self.activity)
        rates = parsed.heart_rates or steady(activity.average_heart_rate_bpm, activity.moving_s)
        efforts = tuple((effort.distance_m, effort.elapsed_s) for effort in parsed.best_efforts)
        return Held(activity, rates, efforts, original)


class Along(Protocol):
    """What is written in the transaction that adds activities: the answer to a request, the progress of an import."""

    async def keep(self, session: Session | None, result: tuple[Activity, ...]) -> None:
        """Write it. It may be asked again when the transaction is done again."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """What comes in one request: the activities of a file, where the file is, and what is written along with them."""

    new: Sequence[NewActivity]
    original: Original | None
    along: Along
    added: asyncio.Future[tuple[Activity, ...]] = field(default_factory=asyncio.Future)

    @property
    def place(self) -> Place | None:
        """Where the file is."""
        return self.original.place if self.original else None

    @property
    def size(self) -> int:
        """About how many bytes are to be written."""
        streams = sum(len(one.parsed.streams or b"") for one in self.new if one.parsed)
        return streams + len((self.original and self.original.content) or b"")


Added: TypeAlias = tuple[Activity, ...]
AddTogether = Callable[[str, Sequence[Arrival]], Awaitable[list[Added | DuplicateActivity]]]
"""Adds what arrived for a runner in one transaction; tells of each what was added, or that the runner has all of it."""


class Arrivals:
    """What waits to be added, by runner, the first first."""

    def __init__(self, turns: Turns, add: AddTogether) -> None:
        self._turns = turns
        self._add = add
        self._waiting: dict[str, list[Arrival]] = {}
        self._adding: set[asyncio.Task[None]] = set()

    async def add(self, owner: str, arrival: Arrival) -> Added:
        """Add this, alone or with what else is waiting. Raises what is wrong with it, and with no other."""
        self._waiting.setdefault(owner, []).append(arrival)
        try:
            async with self._turns.of(owner):
                if arrival in self._waiting.get(owner, ()):
                    await self._settled(owner, self._taken(owner))
            return await arrival.added
        except asyncio.CancelledError:
            self._leave(owner, arrival)
            raise

    async def _settled(self, owner: str, together: Sequence[Arrival]) -> None:
        # in a task of its own: whoever leaves must not take the others with them
        adding = asyncio.create_task(self._settle(owner, together))
        self._adding.add(adding)
        adding.add_done_callback(self._adding.discard)
        await asyncio.shield(adding)

    def _taken(self, owner: str) -> list[Arrival]:
        """The first of those that wait, no more than are well added in one transaction."""
        waiting = self._waiting[owner]
        sizes = accumulate(one.size for one in waiting[:TOGETHER])
        count = max(1, sum(size <= TOGETHER_BYTES for size in sizes))
        self._waiting[owner] = waiting[count:]
        if not self._waiting[owner]:
            del self._waiting[owner]
        return waiting[:count]

    def _leave(self, owner: str, arrival: Arrival) -> None:
        """Nobody waits for it any more; what is being added by then is added."""
        arrival.added.cancel()
        waiting = [one for one in self._waiting.pop(owner, []) if one is not arrival]
        if waiting:
            self._waiting[owner] = waiting

    async def _settle(self, owner: str, together: Sequence[Arrival]) -> None:
        """Add these; where something is wrong with any, one by one, so that each is told of its own.

        A database that does not answer is nobody's own: all are told of that at once.
        """
        outcomes: Sequence[Added | Exception]
        try:
            outcomes = await self._add(owner, together)
        except Exception as wrong:  # noqa: BLE001 - whatever it is, it is told to whom it concerns
            if len(together) > 1 and not isinstance(wrong, DatabaseAway):
                for one in together:
                    await self._settle(owner, [one])
                return
            outcomes = [wrong] * len(together)
        for one, outcome in zip(together, outcomes, strict=True):
            if one.added.done():  # its request has left
                continue
            if isinstance(outcome, Exception):
                one.added.set_exception(outcome)
            else:
                one.added.set_result(outcome)
