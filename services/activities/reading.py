"""From the bytes of a file to analyses of what is in it: formats, then domain, with the two maps they need.

Pure, and only ever run in worker processes: it is what the large libraries are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

import tzfpy

from services.activities.domain.analysis import Analysis, analyse
from services.activities.domain.local_time import known_zone
from services.activities.domain.recording import Recording
from services.activities.domain.sports import Sport
from services.activities.formats.detect import read
from services.activities.shapes import rows_of_shape

Sports: TypeAlias = Mapping[int, Sport]


def read_and_analyse(content: bytes, sports: Sports = MappingProxyType({})) -> tuple[Analysis, ...]:
    """The analyses of all sessions in a file, at least one. Raises `NotAnActivity` where there are none.

    `sports` says of sessions, by their place, what they were, whatever the file says.
    """
    return tuple(_analysed(recording, sports.get(session)) for session, recording in enumerate(read(content)))


def _analysed(recording: Recording, sport: Sport | None) -> Analysis:
    analysis = analyse(recording, zone_at=zone_at, rows_of_shape=rows_of_shape)
    if sport in {None, analysis.summary.sport}:
        return analysis
    return analyse(replace(recording, sport=sport), zone_at=zone_at, rows_of_shape=rows_of_shape)


def zone_at(lat: float, lon: float) -> str | None:
    """The IANA time zone at a place, None where our calendar does not know it."""
    return known_zone(tzfpy.get_tz(lon, lat))
