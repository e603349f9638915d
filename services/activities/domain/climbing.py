"""Up and down: ascent without the noise of altimeters, and the flat equivalent of a hilly distance."""

from __future__ import annotations

import numpy as np

from services.activities.domain.recording import Flags, Floats
from services.activities.domain.samples import averaged

SMOOTHING_S = 10.0
FASTEST_MPS = 5.0  # up or down; a fast descent by bicycle is 4
NOISE_M = 2.0  # a barometer's; rises smaller than this are not counted, as no device counts them
STEEPEST = 0.45  # where Minetti's measurements end
_SLOPE_OVER_M = 25.0
_MOST_STEPS = 200_000


def heights_along(time: Floats, altitude: Floats, breaks: Flags) -> Floats:
    """The altitude as a moving average over some seconds, from whatever it starts at.

    Over a break, or a jump that nobody makes (a barometer that settles, or dives), the height stays the same.
    """
    steps = np.diff(altitude, prepend=altitude[0])
    broken = breaks | (np.abs(steps) > FASTEST_MPS * np.diff(time, prepend=time[0]))
    connected = altitude - np.cumsum(np.where(broken, steps, 0.0))
    spacing = max(float(np.median(np.diff(time))), 0.1)
    return averaged(connected, int(SMOOTHING_S / 2 / spacing), breaks)


def climbs_along(heights: Floats) -> tuple[Floats, Floats]:
    """Metres climbed and descended from the start at each sample, by smoothed heights.

    A change counts once it is over the noise, measured from the last that counted.
    """
    up = down = 0.0
    reference = float(heights[0])
    ups, downs = [], []
    for height in heights.tolist():
        change = height - reference
        if change >= NOISE_M:
            up, reference = up + change, height
        elif change <= -NOISE_M:
            down, reference = down - change, height
        ups.append(up)
        downs.append(down)
    return np.array(ups), np.array(downs)


def cost_of_slope(slope: Floats) -> Floats:
    """The energy of running a metre on a slope, J/kg/m.

    Minetti et al. 2002, J Appl Physiol 93:1039, valid for slopes of -0.45 to 0.45; beyond them the ends hold.
    """
    i = np.clip(slope, -STEEPEST, STEEPEST)
    return np.asarray(np.polyval((155.4, -30.4, -43.3, 46.3, 19.5, 3.6), i), dtype=np.float64)


def flat_distance_along(distance: Floats, heights: Floats) -> Floats:
    """Metres from the start on flat ground that would have cost the same energy, at each sample."""
    total = float(distance[-1])
    if total < _SLOPE_OVER_M:
        return distance
    places = np.linspace(0.0, total, min(int(total / _SLOPE_OVER_M), _MOST_STEPS) + 1)
    rising, firsts = np.unique(distance, return_index=True)
    run = np.diff(places)
    slope = np.diff(np.interp(places, rising, heights[firsts])) / run
    flat = run * cost_of_slope(slope) / cost_of_slope(np.zeros(1))
    return np.interp(distance, places, np.concatenate(([0.0], np.cumsum(flat))))
