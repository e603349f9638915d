"""Garmin's export ("Export your data"): FIT files in archives inside the archive, and titles in JSON beside them.

All that a device ever sent is there, nights and steps too: files of a kind that is no activity are passed over, not
failures. The files' names say nothing of the activities' ids; the second of the start does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from services.activities.domain.labels import Labels

ARCHIVES = re.compile(r"(?:^|/)DI_CONNECT/[^/]*Uploaded-Files/[^/]+\.zip$", re.IGNORECASE)
TITLES = re.compile(r"(?:^|/)DI_CONNECT/DI-Connect-Fitness/[^/]*summarizedActivities[^/]*\.json$", re.IGNORECASE)
MOST_OBJECTS = 500_000
_NEAR_S = (0, 1, -1, 2, -2)


class _Activity(Struct):
    name: str | None = None
    description: str | None = None
    beginTimestamp: float | None = None  # noqa: N815 - Garmin's own names
    startTimeGmt: float | None = None  # noqa: N815


class _Page(Struct):
    summarizedActivitiesExport: list[_Activity] = []  # noqa: N815


def labels_in(document: bytes) -> dict[int, Labels]:
    """What a page of summaries says, by the second of the start. Nothing where it can't be made out."""
    if document.count(b"{") > MOST_OBJECTS:  # two letters each, and a hundred bytes for what is made of them
        return {}
    try:
        pages = msgspec.json.decode(document, type=list[_Page])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    return {
        round(start_ms / 1000): Labels(title=one.name, description=one.description)
        for page in pages
        for one in page.summarizedActivitiesExport
        if (start_ms := one.beginTimestamp or one.startTimeGmt) and (one.name or one.description)
    }


def nearest(labels: Mapping[int, Labels], started_at: datetime) -> Labels | None:
    """What was said of the activity that began at this second, or at most two beside it."""
    second = round(started_at.timestamp())
    return next((labels[second + off] for off in _NEAR_S if second + off in labels), None)
