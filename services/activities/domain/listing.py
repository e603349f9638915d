"""Which activities a list shows, in which order, and where in it a page begins."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from services.activities.domain.sports import Sport

Order: TypeAlias = Literal["-started_at", "started_at", "-distance_m", "-elapsed_s"]


class Wanted(Struct, frozen=True):
    """Which activities: from and to are local dates, both included; `words` is a part of the title."""

    first: date | None = None
    last: date | None = None
    sport: Sport | None = None
    words: str | None = None


class Position(Struct, frozen=True):
    """A place in an ordered list: the value it is ordered by, and the id that decides between equal ones.

    `page_width` is how far the values of the page before went, in metres or seconds: how dense the list is there.
    """

    value: datetime | float
    id: str
    page_width: float | None = None
