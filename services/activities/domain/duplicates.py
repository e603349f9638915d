"""When two activities are the same one: recorded once, uploaded twice, perhaps by way of another site."""

from __future__ import annotations

from datetime import datetime, timedelta

START_WITHIN = timedelta(seconds=60)
DISTANCE_WITHIN = 0.02


def same_activity(
    started_at: datetime, distance_m: float, elapsed_s: float, other: tuple[datetime, float, float]
) -> bool:
    """Whether both began within a minute and cover the same distance within 2 %.

    Where neither has a distance (a treadmill, weights) the time must be the same within 2 %, or two short exercises
    after each other would be one.
    """
    other_start, other_distance_m, other_elapsed_s = other
    if abs(started_at - other_start) > START_WITHIN:
        return False
    if distance_m == 0 and other_distance_m == 0:
        return _close(elapsed_s, other_elapsed_s)
    return _close(distance_m, other_distance_m)


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= DISTANCE_WITHIN * max(one, other)
