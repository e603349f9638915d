"""Heart-rate zones: five, by tenths of the heart-rate reserve (Karvonen 1957, Ann Med Exp Biol Fenn 35:307).

Where the heart rate at rest is not known, they are tenths of the highest.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from msgspec import Struct

from services.activities.domain.heart_rates import HeartRates
from services.activities.domain.physiology import Physiology

_BEGIN = (0.6, 0.7, 0.8, 0.9)  # of zones 2 to 5; the first holds all that is below


class Zone(Struct, frozen=True):
    """How long the heart beat from `from_bpm` to under `to_bpm`; the last zone holds the highest rate and all above."""

    zone: int
    from_bpm: int
    to_bpm: int
    elapsed_s: float


def zones(rates: HeartRates | None, physiology: Physiology, on: date) -> tuple[Zone, ...]:
    """The zones of an activity; none where its heart rates, or the runner's highest one, are not known."""
    highest = physiology.highest_bpm(on)
    if rates is None or highest is None:
        return ()
    rest = physiology.rest_hr_bpm or 0.0
    edges = [0, *(round(rest + share * (highest - rest)) for share in _BEGIN), round(highest)]
    held = [0.0] * 5
    for bpm, seconds in rates.items():
        held[sum(bpm >= edge for edge in edges[1:-1])] += seconds
    return tuple(Zone(row + 1, low, high, round(held[row], 3)) for row, (low, high) in enumerate(pairwise(edges)))
