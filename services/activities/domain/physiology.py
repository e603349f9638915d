"""What a runner's profile says of their body: what heart rates and speeds mean for them."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

_YEAR_DAYS = 365.2425


class Physiology(Struct, frozen=True):
    """The part of a profile that numbers depend on; None is not told."""

    sex: Literal["female", "male"] | None = None
    born_on: date | None = None
    max_hr_bpm: float | None = None
    rest_hr_bpm: float | None = None
    threshold_speed_mps: float | None = None

    def highest_bpm(self, on: date) -> float | None:
        """The highest heart rate: as told, else by age, 208 - 0.7 a year (Tanaka 2001, J Am Coll Cardiol 37:153)."""
        if self.max_hr_bpm is not None:
            return self.max_hr_bpm
        if self.born_on is None or on < self.born_on:
            return None
        return 208 - 0.7 * int((on - self.born_on).days / _YEAR_DAYS)


UNTOLD = Physiology()
