"""Training load: how much an activity asked of its runner, on one scale, by heart rate or else by pace.

The scale is Banister's training impulse (TRIMP): minutes, weighted by the share of the heart-rate reserve that was in
use, which counts exponentially as lactate does (Morton et al. 1990, J Appl Physiol 69:1171). Where the heart rate, or
what it means for this runner, is not known, the share is estimated: running speed asks for oxygen in proportion, and
the shares of the heart-rate reserve and of the oxygen reserve are the same (Swain & Leutholtz 1997, Med Sci Sports
Exerc 29:410); at the threshold it is 0.88. A pace on hills counts as the one on the flat that costs the same.
"""

from __future__ import annotations

import math
from typing import Literal

from services.activities.domain.activity import Activity, LoadFrom
from services.activities.domain.heart_rates import HeartRates
from services.activities.domain.physiology import Physiology
from services.activities.domain.sports import traits_of

AT_THRESHOLD = 0.88  # of the heart-rate reserve
USUAL_THRESHOLD_MPS = 3.0  # where a profile tells none: 5:33 a kilometre, for about an hour
_WEIGHTS = {"male": (0.64, 1.92), "female": (0.86, 1.67)}


def load_of(
    activity: Activity, rates: HeartRates | None, physiology: Physiology
) -> tuple[float, LoadFrom] | tuple[None, None]:
    """The load of an activity, and what it is from; none for what is neither on foot nor with a known heart rate."""
    if rates is not None:
        highest = physiology.highest_bpm(activity.local_date)
        if highest is not None and physiology.rest_hr_bpm is not None and highest > physiology.rest_hr_bpm:
            return round(_by_heart_rate(rates, physiology.rest_hr_bpm, highest, physiology.sex), 2), "heart_rate"
    speed = activity.grade_adjusted_speed_mps or activity.average_speed_mps
    if speed is not None and traits_of(activity.sport).on_foot:
        share = AT_THRESHOLD * speed / (physiology.threshold_speed_mps or USUAL_THRESHOLD_MPS)
        return round(trimp(activity.moving_s / 60, share, physiology.sex), 2), "pace"
    return None, None


def trimp(minutes: float, share: float, sex: Literal["female", "male"] | None) -> float:
    """Banister's training impulse of some time at a share of the heart-rate reserve, from 0 to 1.

    Where the sex is not told it is between the two.
    """
    share = min(max(share, 0.0), 1.0)
    weights = [_WEIGHTS[sex]] if sex else list(_WEIGHTS.values())
    return minutes * share * sum(factor * math.exp(growth * share) for factor, growth in weights) / len(weights)


def _by_heart_rate(rates: HeartRates, rest: float, highest: float, sex: Literal["female", "male"] | None) -> float:
    return sum(trimp(seconds / 60, (bpm - rest) / (highest - rest), sex) for bpm, seconds in rates.items())
