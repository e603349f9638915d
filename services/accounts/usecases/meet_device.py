"""At sign-in: see whether the device is known, and tell the owner by mail where it is not.

A device is what its User-Agent header says without versions, `Firefox · Android`, and nothing is put on it: no cookie, no
identifier. So somebody else's telephone of the same kind is no new device; docs/decisions/0026-devices.md says why that
is enough. The first device of an account is met without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.accounts import events
from services.accounts.devices import Devices
from services.accounts.domain.accounts import Account
from services.accounts.store.known_devices import KnownDevices

UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class MeetDevice:
    """Knows devices again. `hash_name` makes the keyed hash that one is kept as."""

    known: KnownDevices
    devices: Devices
    hash_name: Callable[[str], str]
    clock: Callable[[], datetime]

    async def __call__(self, account: Account, user_agent: str) -> None:
        """Meet one; whoever has not confirmed their address yet gets no such mail."""
        if not account.activated:
            return
        device, now = self.devices.name(user_agent) or UNKNOWN, self.clock()
        name = self.hash_name(f"{account.id}:{device}")
        if await self.known.meet_again(name, now):
            return
        told = []
        if await self.known.any_of(account.id):
            zone = account.profile.timezone
            at = f"{now.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"
            told = [events.mail("new-device", account, {"device": device, "at": at})]
        await self.known.add(name, account.id, now, told)
