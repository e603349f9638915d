"""For how long a heart beat how fast: what zones and training load are made of, whatever the profile says by then."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from services.activities.domain.recording import Floats

HELD_S = 30.0  # for how long a heart rate is taken to last when nothing follows it


class HeartRates(Struct, frozen=True):
    """Milliseconds at each heart rate, by whole beats a minute from the lowest one on."""

    lowest_bpm: int
    held_ms: tuple[int, ...]

    def items(self) -> list[tuple[int, float]]:
        """Beats a minute, and the seconds at it, of those that there were."""
        return [(self.lowest_bpm + row, ms / 1000) for row, ms in enumerate(self.held_ms) if ms]


def held_along(time: Floats, heart_rate: Floats) -> Floats:
    """For how many seconds each sample but the last stands: until the next one, and not for long where that is far."""
    return np.where(np.isnan(heart_rate[:-1]), 0.0, np.minimum(np.diff(time), HELD_S))


def heart_rates(time: Floats, heart_rate: Floats) -> HeartRates | None:
    """The heart rates of a recording; None where none lasted."""
    held = held_along(time, heart_rate)
    lasted = held > 0
    if not lasted.any():
        return None
    beats = np.rint(heart_rate[:-1][lasted]).astype(np.int64)
    lowest = int(beats.min())
    held_ms = np.rint(np.bincount(beats - lowest, weights=held[lasted]) * 1000).astype(np.int64)
    return HeartRates(lowest, tuple(held_ms.tolist()))


def steady(bpm: float | None, seconds: float) -> HeartRates | None:
    """An average as if the heart had beaten so all the time: what there is where nothing was recorded."""
    return HeartRates(round(bpm), (round(seconds * 1000),)) if bpm and seconds > 0 else None
