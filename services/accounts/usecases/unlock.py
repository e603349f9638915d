"""The way out for who has to wait because somebody guessed at their account: a mail with a link that ends the wait.

It goes out with the failure that locks the account, once a lock. A stranger who locks a name learns nothing: the answer is
the same for one that nobody has, and so is the work (see `mail_link`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.accounts.domain.links import Purpose, hash_secret
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.back_off import BackOff
from services.accounts.usecases.mail_link import OrderLink, Wanted
from services.chassis.addresses import parse_address
from services.chassis.idempotency import unkeyed
from services.chassis.logs import Logger


@dataclass(frozen=True, slots=True)
class MailUnlock:
    """Has the owner of an account that has just been locked told, where there is one and the address is confirmed."""

    order_link: OrderLink
    log: Logger

    async def __call__(self, email_key: str) -> None:
        """Do it."""
        self.log.warning("account.locked")
        await self.order_link.to(Wanted.UNLOCK, email_key, unkeyed())


@dataclass(frozen=True, slots=True)
class Unlock:
    """Ends the wait. Raises `LinkGone`."""

    accounts: Accounts
    back_off: BackOff
    clock: Callable[[], datetime]

    async def __call__(self, secret: str) -> None:
        """Do it; the link is void after it, not before: a process that is killed between leaves a link that works."""
        account, _ = await self.accounts.by_link(hash_secret(secret), (Purpose.UNLOCK,), self.clock())
        await self.back_off.forgive(parse_address(account.email).key)
        await self.accounts.void_links(account.id, Purpose.UNLOCK)
