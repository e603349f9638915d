"""The tokendealer: it makes tokens for people whom we have recognised, and keeps their sign-ins (families of tokens)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from services.accounts.domain.sessions import Family, SessionEnded, Tokens
from services.chassis.answers import Items
from services.chassis.http_answers import PeerRefused
from services.chassis.identity import Peer
from services.chassis.problems import NotFound

GONE, NOT_FOUND = 410, 404


class Tokendealer:
    """Every call raises `PeerUnavailable` where it can't be made."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def issue(self, sub: str, scopes: Sequence[str], label: str, until: datetime | None) -> Tokens:
        """Begin a sign-in, which ends at `until` where that is given.

        Raises `SessionEnded` for a person who was shut out, or deleted, at this very moment.
        """
        order = {"sub": sub, "scopes": list(scopes), "label": label, "until": until}
        try:
            return await self._peer.post("/internal/v1/tokens", json=order, type=Tokens)
        except PeerRefused as refused:
            raise (SessionEnded if refused.status == GONE else refused) from refused

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next tokens of a sign-in. Raises `SessionEnded`."""
        try:
            return await self._peer.post(
                "/internal/v1/tokens/refresh", json={"refresh_token": refresh_token}, type=Tokens
            )
        except PeerRefused as refused:
            raise (SessionEnded if refused.status == GONE else refused) from refused

    async def revoke(self, refresh_token: str) -> None:
        """End the sign-in that a refresh token belongs to, where there is one."""
        await self._peer.post("/internal/v1/tokens/revoke", json={"refresh_token": refresh_token})

    async def families(self, sub: str) -> list[Family]:
        """The sign-ins of a person, newest first."""
        return (await self._peer.get(f"{_of(sub)}/families", type=Items[Family])).items

    async def end(self, sub: str, family: str) -> None:
        """End one sign-in. Raises `NotFound` where this person has none of this id."""
        try:
            await self._peer.delete(f"{_of(sub)}/families/{quote(family, safe='')}")
        except PeerRefused as refused:
            raise (NotFound if refused.status == NOT_FOUND else refused) from refused

    async def end_all(self, sub: str, *, keep: str | None = None) -> None:
        """End every sign-in of a person, here and through apps, but the one to keep."""
        await self._peer.delete(f"{_of(sub)}/families" + (f"?keep={quote(keep, safe='')}" if keep else ""))

    async def settle(
        self, sub: str, version: int, scopes: Sequence[str], *, barred: bool, until: datetime | None
    ) -> None:
        """Tell how a person stands, by this version of the account.

        What they may do counts from the next refresh of each sign-in, and so does `until` when; where they are barred, all
        end and none begins.
        """
        standing = {"version": version, "scopes": list(scopes), "barred": barred, "until": until}
        await self._peer.put(f"{_of(sub)}/standing", json=standing)


def _of(sub: str) -> str:
    return f"/internal/v1/people/{quote(sub, safe='')}"
