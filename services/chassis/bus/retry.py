"""How often a failing message is tried, and how long to wait between: exponential back-off with jitter."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """The defaults try for about a quarter of an hour, which outlives a restart of anything we depend on."""

    attempts: int = 12
    first_s: float = 1.0
    most_s: float = 300.0

    def delay_s(self, attempt: int, chance: Callable[[], float] = random.random) -> float:
        """Seconds to wait after this attempt (the first is 1) failed: half of the step is certain, half is chance.

        The certain half keeps a failing handler from being asked at once, the chance keeps many messages that failed
        together from coming back together ("equal jitter", M. Brooker, AWS Architecture Blog, 2015).
        """
        step_s = min(self.most_s, self.first_s * 2.0 ** min(attempt - 1, 62))
        return step_s * (0.5 + chance() / 2)

    def gives_up_after(self, attempt: int) -> bool:
        """Whether this attempt was the last."""
        return attempt >= self.attempts
