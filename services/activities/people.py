"""What this service holds of a person, to be taken out or removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from services.activities.domain.activity import Activity
from services.activities.domain.gear import Gear
from services.activities.store.activities import ActivityStore
from services.activities.store.gear import GearStore
from services.chassis.people import Belonging
from services.chassis.problems import NotFound


@dataclass(frozen=True, slots=True)
class RunnersActivities:
    """A runner's activities, and the files they came in."""

    store: ActivityStore
    gear: GearStore

    async def takeout(self, sub: str) -> AsyncIterator[Belonging]:
        """All gear and every activity as JSON, and each file once, under its digest."""
        for gear in await self.gear.all_of(sub):
            yield Belonging(f"gear/{gear.id}.json", _document(gear))
        seen: set[str] = set()
        async for activity in self.store.all_of(sub):
            yield Belonging(f"activities/{activity.id}.json", _document(activity))
            sha256 = activity.source.sha256
            if sha256 is None or sha256 in seen:
                continue
            seen.add(sha256)
            try:
                _, content = await self.store.original(sub, activity.id)
            except NotFound:  # removed in the meantime
                continue
            yield Belonging(f"originals/{sha256}.{activity.source.format}", content)

    async def erase(self, sub: str) -> None:
        """Remove it all."""
        await self.store.remove_all(sub)


def _document(value: Activity | Gear) -> bytes:
    """A thing as JSON, without the id of its owner, who knows who that is."""
    document = msgspec.to_builtins(value)
    del document["owner"]
    return msgspec.json.encode(document)
