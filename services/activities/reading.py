"""From the bytes of a file to analyses of what is in it: formats, then domain, with the two maps they need.

Pure, and only ever run in worker processes: it is what the large libraries are for.
"""

from __future__ import annotations

import tzfpy

from services.activities.domain.analysis import Analysis, analyse
from services.activities.domain.local_time import known_zone
from services.activities.formats.detect import read
from services.activities.shapes import rows_of_shape


def read_and_analyse(content: bytes) -> tuple[Analysis, ...]:
    """The analyses of all sessions in a file, at least one. Raises `NotAnActivity` where there are none."""
    return tuple(analyse(recording, zone_at=zone_at, rows_of_shape=rows_of_shape) for recording in read(content))


def zone_at(lat: float, lon: float) -> str | None:
    """The IANA time zone at a place, None where our calendar does not know it."""
    return known_zone(tzfpy.get_tz(lon, lat))
