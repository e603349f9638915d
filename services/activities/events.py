"""What this service tells, the state of an activity after each change of it, and what it hears: the profiles of runners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from services.activities.domain.activity import Activity
from services.activities.domain.physiology import Physiology
from services.chassis.bus.event import Event, Job
from services.chassis.bus.service_bus import ServiceBus

IMPORTS = "activities.imports"
IMPORTED, CHANGED, DELETED = "activity.imported", "activity.changed", "activity.deleted"
PROFILE_CHANGED = "profile.changed"
LearnProfile: TypeAlias = Callable[[str, Physiology], Awaitable[None]]


def imported(activity: Activity) -> Event:
    """A runner has an activity more."""
    return Event.of(IMPORTED, key=activity.id, version=activity.version, sub=activity.owner, data=_state(activity))


def changed(activity: Activity) -> Event:
    """Something of an activity was corrected."""
    return Event.of(CHANGED, key=activity.id, version=activity.version, sub=activity.owner, data=_state(activity))


def deleted(activity: Activity) -> Event:
    """An activity is gone; the state is the last it had."""
    return Event.of(DELETED, key=activity.id, version=activity.version + 1, sub=activity.owner, data=_state(activity))


def import_turn(import_id: str, owner: str) -> Job:
    """Go on with an import."""
    return Job.of(IMPORTS, {"import": import_id}, key=import_id, sub=owner)


async def listen(bus: ServiceBus, learn_profile: LearnProfile) -> None:
    """Hear what runners tell about their bodies, which zones and loads depend on."""

    async def learn(event: Event) -> None:
        await learn_profile(event.key, msgspec.convert(event.data, Physiology))

    await bus.subscribe([PROFILE_CHANGED], learn, name="profiles")


def _state(activity: Activity) -> dict[str, Any]:
    return {
        "activity_id": activity.id,
        "sport": activity.sport,
        "title": activity.title,
        "started_at": activity.started_at.isoformat(),
        "timezone": activity.timezone,
        "local_date": activity.local_date.isoformat(),
        "distance_m": activity.distance_m,
        "elapsed_s": activity.elapsed_s,
        "moving_s": activity.moving_s,
        "ascent_m": activity.ascent_m,
    }
