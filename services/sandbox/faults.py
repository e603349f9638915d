"""The knobs that make a played party slow, faulty or absent.

They live as long as the process: a restarted sandbox is a healthy one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

from msgspec import Meta, Struct

from services.chassis.problems import NotFound


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """How a party misbehaves: it answers late, answers `status` to a share of what it is asked, or is not there.

    `status` is a code of the party's own protocol; None leaves it to the party (451 for the mailbox).
    """

    latency_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    error_rate: Annotated[float, Meta(ge=0, le=1)] = 0.0
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    down: bool = False


class Faults:
    """The present fault of every party, and who wants to know when one changes."""

    def __init__(self, parties: Iterable[str], chance: Callable[[], float] = random.random) -> None:
        self._faults = {party: Fault() for party in parties}
        self._followers: dict[str, Callable[[Fault], Awaitable[None]]] = {}
        self._chance = chance

    def follow(self, party: str, follower: Callable[[Fault], Awaitable[None]]) -> None:
        """Have `follower` called with each new fault of the party, before the change is answered."""
        self._followers[party] = follower

    def of(self, party: str) -> Fault:
        """The party's present fault. Raises `NotFound` for a party that is not played here."""
        if party not in self._faults:
            raise NotFound(f"Nobody called {party} is played here")
        return self._faults[party]

    async def put(self, party: str, fault: Fault) -> Fault:
        """Make this the party's fault from now on."""
        self.of(party)
        self._faults[party] = fault
        if party in self._followers:
            await self._followers[party](fault)
        return fault

    async def strike(self, party: str, status: int) -> int | None:
        """Wait as long as the party is late; then the status it fails with this time (`status` by default), or None."""
        fault = self.of(party)
        if fault.latency_ms:
            await asyncio.sleep(fault.latency_ms / 1000)
        if fault.error_rate and self._chance() < fault.error_rate:
            return fault.status or status
        return None
