"""Activate: the owner of an address confirms it with the link that was mailed there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from services.accounts import events
from services.accounts.domain.accounts import Account, with_password
from services.accounts.domain.links import Link, Purpose, hash_secret
from services.accounts.store.accounts import Accounts
from services.chassis.bus.event import Event


@dataclass(frozen=True, slots=True)
class Activate:
    """Activates accounts. Raises `LinkGone` for a secret that was used, has expired, or never was."""

    accounts: Accounts
    clock: Callable[[], datetime]

    async def __call__(self, secret: str) -> Account:
        """The account, activated."""
        now = self.clock()

        def change(account: Account, link: Link) -> Account:
            return activated(account, link, now)

        return await self.accounts.use_link(hash_secret(secret), Purpose.ACTIVATION, now, change, told_of)


def activated(account: Account, link: Link, now: datetime) -> Account:
    """The account with its address confirmed, and with what whoever holds the link had typed; once confirmed, it stays."""
    confirmed = replace(account, activated_at=account.activated_at or now)
    if link.claimed is None or account.activated:
        return confirmed
    return with_password(replace(confirmed, profile=link.claimed.profile), link.claimed.password, now)


def told_of(before: Account, after: Account) -> Sequence[Event]:
    """What is told of an activation."""
    told = [events.activated(after, password_replaced=before.password != after.password)]
    return [*told, events.profile_changed(after)] if before.profile != after.profile else told
