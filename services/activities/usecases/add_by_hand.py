"""Adding an activity that no device recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.activities.domain.activity import Activity
from services.activities.domain.corrections import ManualActivity, by_hand
from services.activities.store.activities import ActivityStore
from services.activities.store.arrivals import NewActivity
from services.chassis.idempotency import Once


@dataclass(frozen=True, slots=True)
class AddByHand:
    """Keep what a runner remembers."""

    store: ActivityStore
    new_id: Callable[[], str]
    clock: Callable[[], datetime]

    async def __call__(self, owner: str, manual: ManualActivity, once: Once[tuple[Activity, ...]]) -> Activity:
        """The activity. Raises `Invalid`, and `DuplicateActivity` where the runner has it already."""
        activity = by_hand(manual, owner=owner, activity_id=self.new_id(), now=self.clock())
        (added,) = await self.store.add(owner, [NewActivity(activity)], None, once)
        return added
