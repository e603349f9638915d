"""The records of a FIT file as columns: one for each field that we read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import compress
from operator import itemgetter
from typing import TypeAlias

import numpy as np

from services.activities.domain.recording import Floats
from services.activities.formats.fit_garmin import Message

Columns: TypeAlias = Mapping[str, Floats]

TIME, EARLY_DEVICES = "timestamp", "compressed_speed_distance"
# Our series, and the fields that hold it, the best first.
FIELDS: dict[str, tuple[str, ...]] = {
    "distance": ("distance",),
    "altitude": ("enhanced_altitude", "altitude"),
    "heart_rate": ("heart_rate",),
    "cadence": ("cadence",),
    "power": ("power",),
    "speed": ("speed", "enhanced_speed"),  # which fitfast 0.1.0 makes of the other, cutting off a millimetre a second
    "lat": ("position_lat",),
    "lon": ("position_long",),
}
READ = (TIME, *(field for fields in FIELDS.values() for field in fields), "fractional_cadence", EARLY_DEVICES)


def columns_of(records: Sequence[Message]) -> Columns:
    """The fields that any record with a time has, NaN where one has none."""
    timed = list(compress(records, _column(records, TIME) > 0))
    columns = _columns(timed)
    if "distance" not in columns and EARLY_DEVICES in columns:
        columns |= _uncompressed(timed)
    return columns


def _columns(records: Sequence[Message]) -> dict[str, Floats]:
    """A column for each field that we read and any record has; NaN where one has no number there."""
    there = set().union(*records)
    names = [name for name in READ if name in there]
    if len(names) > 1:
        with suppress(KeyError):  # nearly always each record has what any has: then all columns are made at once
            rows = list(map(itemgetter(*names), records))
            return {name: _numbers(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    return {name: _column(records, name) for name in names}


def _column(records: Sequence[Message], field: str) -> Floats:
    return _numbers([record.get(field) for record in records])


def _numbers(values: Sequence[object]) -> Floats:
    """What are numbers of these; NaN for the rest."""
    with suppress(ValueError, TypeError, OverflowError):
        column = np.array(values, dtype=np.float64)  # None is NaN
        if column.ndim == 1:
            return column
    # a field that holds a text or a list, here and there or always
    return np.array([float(value) if isinstance(value, int | float) else np.nan for value in values], dtype=np.float64)


def _uncompressed(records: list[Message]) -> dict[str, Floats]:
    """Speed and distance of early devices: 12 bits each, in 1/100 m/s and 1/16 m, the distance rolling over."""
    speed = np.full(len(records), np.nan)
    distance = np.full(len(records), np.nan)
    total = last = 0
    for row, record in enumerate(records):
        packed = record.get(EARLY_DEVICES)
        if not isinstance(packed, bytes) or len(packed) != 3 or packed == b"\xff\xff\xff":
            continue
        speed[row] = (packed[0] | (packed[1] & 0x0F) << 8) / 100
        counter = packed[1] >> 4 | packed[2] << 4
        total += (counter - last) & 0xFFF
        last = counter
        distance[row] = total / 16
    return {"speed": speed, "distance": distance}
