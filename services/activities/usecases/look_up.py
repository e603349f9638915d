"""Looking activities up: one, or a page of many."""

from __future__ import annotations

from dataclasses import dataclass

from services.activities.domain.activity import Activity
from services.activities.domain.listing import Order, Position, Wanted
from services.activities.store.activities import ActivityStore
from services.activities.store.finding import Finder


@dataclass(frozen=True, slots=True)
class ReadActivity:
    """One activity."""

    store: ActivityStore

    async def __call__(self, owner: str, activity_id: str) -> Activity:
        """Raises `NotFound`."""
        return await self.store.read(owner, activity_id)


@dataclass(frozen=True, slots=True)
class ListActivities:
    """A page of activities."""

    finder: Finder

    async def __call__(
        self, owner: str, wanted: Wanted, order: Order, after: Position | None, limit: int
    ) -> tuple[list[Activity], Position | None]:
        """The activities after a position, and the position to go on from where there are more."""
        return await self.finder.page(owner, wanted, order, after, limit)
