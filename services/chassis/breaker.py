"""A circuit breaker: a party that keeps failing is left alone for a while, then tried with one call.

Closed, calls pass. After so many failures in a row it opens: calls are refused at once, which spares the caller the
wait and the party the load. When its time is up it is half-open: one call, the probe, passes; its end decides.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from services.chassis.logs import Logger
from services.chassis.metrics import Metrics

State = Literal["closed", "open", "half-open"]

FAILURES = 5
OPEN_S = 2.0
OPEN_AT_MOST_S = 60.0


class CircuitOpen(Exception):
    """The call was not made. `wait_s` says when it may be tried again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"left alone for another {wait_s:.1f} s")
        self.wait_s = wait_s


class Breaker:
    """The breaker of one party, asked before each call and told how it ended. For one event loop; it never waits."""

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        open_s: float = OPEN_S,
        monotonic: Callable[[], float] = time.monotonic,
        on_change: Callable[[Breaker], None] = lambda _: None,
    ) -> None:
        self.state: State = "closed"
        self._allowed = failures
        self._shortest_s = self._open_s = open_s
        self._monotonic = monotonic
        self._on_change = on_change
        self.failures = 0
        self._until = 0.0

    @property
    def pause_s(self) -> float:
        """For how much longer calls are refused."""
        return max(0.0, self._until - self._monotonic())

    def attempt(self) -> Attempt:
        """Leave for one call. Raises `CircuitOpen`."""
        if self.state == "closed":
            return Attempt(self, is_probe=False)
        if self.state == "half-open" or self.pause_s > 0:
            raise CircuitOpen(self._shortest_s if self.state == "half-open" else self.pause_s)
        self._become("half-open")
        return Attempt(self, is_probe=True)

    def ended(self, attempt: Attempt) -> None:
        """Take the end of a call into account. The late end of a call from before the last change tells nothing."""
        if attempt.is_probe:
            self._probed(attempt.succeeded)
        elif self.state == "closed" and attempt.succeeded is not None:
            self.failures = 0 if attempt.succeeded else self.failures + 1
            if self.failures >= self._allowed:
                self._open()

    def _probed(self, succeeded: bool | None) -> None:
        if succeeded is None:
            self._until = self._monotonic()
            self._become("open")
        elif succeeded:
            self.failures, self._open_s = 0, self._shortest_s
            self._become("closed")
        else:
            self._open_s = min(2 * self._open_s, OPEN_AT_MOST_S)
            self._open()

    def _open(self) -> None:
        self._until = self._monotonic() + self._open_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the probes
        self._become("open")

    def _become(self, state: State) -> None:
        self.state = state
        self._on_change(self)


class Attempt:
    """One call in the hands of its maker. Left without a verdict (the caller gave up), it counts neither way."""

    def __init__(self, breaker: Breaker, *, is_probe: bool) -> None:
        self._breaker = breaker
        self.is_probe = is_probe
        self.succeeded: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._breaker.ended(self)


def telling(service: str, party: str, metrics: Metrics, log: Logger) -> Callable[[Breaker], None]:
    """What a party's breaker calls when it changes: its opening is counted and logged, its closing logged."""

    def tell(breaker: Breaker) -> None:
        if breaker.state == "open":
            metrics.incr("breaker.opened", service=service, party=party)
            log.error("breaker.opened", party=party, failures=breaker.failures, pause_s=round(breaker.pause_s, 1))
        elif breaker.state == "closed":
            log.info("breaker.closed", party=party)

    return tell
