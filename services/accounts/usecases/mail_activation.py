"""Mail the activation link again; the answer is the same for an address that has no account, or an active one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.accounts.store.accounts import Accounts
from services.accounts.usecases.mailing_links import MailingLinks
from services.chassis.addresses import parse_address
from services.chassis.idempotency import Once


@dataclass(frozen=True, slots=True)
class MailActivation:
    """Mails the link. Raises `Invalid` for what is no address."""

    accounts: Accounts
    mailing: MailingLinks
    clock: Callable[[], datetime]

    async def __call__(self, email: str, once: Once[None]) -> None:
        """Mail it, where there is something to activate."""
        address, now = parse_address(email), self.clock()
        may_mail = await self.mailing.may_mail(address.key, now)
        known = await self.accounts.by_email(address.key)
        if known is None or known.activated or not may_mail:
            await self.accounts.tell((), (), once)
            return
        link, mail = self.mailing.activation(known, now)
        await self.accounts.tell([link], [mail], once)
