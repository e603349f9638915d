"""Number accounts that a version before this one made, and may still make while it is being replaced."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.accounts.store.finder import Finder

EVERY_S = 3600


@dataclass(frozen=True, slots=True)
class NumberAccounts:
    """What lists of accounts are made of is written with each account by now; this sees to those of before."""

    finder: Finder

    async def forever(self) -> None:
        """At the start, and every hour."""
        while True:
            await self.finder.fill_in()
            await asyncio.sleep(EVERY_S)
