"""One change of a runner's activities at a time in this process; between processes the database decides.

All changes of one runner write the same document, so that two at once conflict and one is done again. Where that
happens in one process it is cheaper to wait for one's turn than to be turned back by the database.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """A lock a runner, for as long as anybody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, owner: str) -> asyncio.Lock:
        """The runner's lock: `async with turns.of(owner)`."""
        lock = self._locks.get(owner)
        if lock is None:
            lock = self._locks[owner] = asyncio.Lock()
        return lock
