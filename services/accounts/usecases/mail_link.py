"""Mail a link to the owner of an address. Who asks is not told whether there is one: the answer is the same without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.accounts.domain.accounts import Account
from services.accounts.domain.links import Link
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.mailing_links import MailingLinks
from services.chassis.addresses import parse_address
from services.chassis.bus.event import Job
from services.chassis.idempotency import Once


@dataclass(frozen=True, slots=True)
class MailLink:
    """Mails one kind of link: `is_for` says which accounts it is for, and `counted_as` among which mails it counts."""

    accounts: Accounts
    mailing: MailingLinks
    clock: Callable[[], datetime]
    make: Callable[[Account, datetime], tuple[Link, Job]]
    is_for: Callable[[Account], bool] = lambda _: True
    counted_as: str = "mail"

    async def __call__(self, email: str, once: Once[None]) -> None:
        """Mail it, where there is an account that it is for. Raises `Invalid` for what is no address."""
        await self.to(parse_address(email).key, once)

    async def to(self, email_key: str, once: Once[None]) -> None:
        """Mail it, where this address has an account that it is for."""
        now = self.clock()
        may_mail = await self.mailing.may_mail(email_key, now, self.counted_as)
        known = await self.accounts.by_email(email_key)
        if known is None or not self.is_for(known) or not may_mail:
            await self.accounts.tell((), (), once)
            return
        link, mail = self.make(known, now)
        await self.accounts.tell([link], [mail], once)
