"""Every service that holds personal data, as the people protocol has it: it gives all it holds of a person, or erases it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

from services.chassis.identity import Peer
from services.chassis.people import Commitments, Erased

STARTS_WITHIN_S = 30.0
ERASES_WITHIN_S = 300.0


class Owners:
    """The owners by name. Every call raises `PeerUnavailable`, `PeerRefused`."""

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        self._peers = peers

    @property
    def names(self) -> tuple[str, ...]:
        """Who they are."""
        return tuple(self._peers)

    @asynccontextmanager
    async def takeout(self, owner: str, sub: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """All that an owner holds of a person, as a tar archive that comes piece by piece."""
        async with self._peers[owner].stream(_of(sub), timeout_s=STARTS_WITHIN_S) as answer:
            yield answer.chunks()

    async def are_bound(self, owner: str, sub: str) -> bool:
        """Whether an owner has something under way for a person."""
        return (await self._peers[owner].get(f"{_of(sub)}/commitments", type=Commitments)).any

    async def erase(self, owner: str, sub: str, *, timeout_s: float = ERASES_WITHIN_S) -> Erased:
        """Have an owner erase all that it holds of a person."""
        return await self._peers[owner].delete(_of(sub), timeout_s=timeout_s, type=Erased)


def _of(sub: str) -> str:
    return f"/internal/v1/people/{quote(sub, safe='')}"
