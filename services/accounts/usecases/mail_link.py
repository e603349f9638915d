"""Mail a link to the owner of an address. Who asks is not told whether there is one, nor by how long the answer takes.

So what is done before the answer is the same for every address: an order is written down. Whether there is an account, and
what its owner gets, is found out after it, by whoever works on the orders. The address in an order is sealed: it may be
anybody's, and no deletion would find it there.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.accounts import events
from services.accounts.domain.accounts import Account
from services.accounts.domain.links import Link
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.mailing_links import MailingLinks
from services.chassis.addresses import parse_address
from services.chassis.bus.event import Job
from services.chassis.idempotency import Once, unkeyed
from services.chassis.problems import NotFound
from services.chassis.secrets import Secrets

SEAL_PURPOSE = "accounts.link-order"


class Wanted(StrEnum):
    """The links that a stranger can have us mail, with the name of an address alone."""

    ACTIVATION = "activation"
    PASSWORD_RESET = "password-reset"  # noqa: S105 - a kind of link
    UNLOCK = "unlock"


@dataclass(frozen=True, slots=True)
class OrderLink:
    """Writes down that a link is wanted."""

    accounts: Accounts
    box: Secrets

    async def __call__(self, wanted: Wanted, email: str, once: Once[None]) -> None:
        """Do it. Raises `Invalid` for what is no address."""
        await self.to(wanted, parse_address(email).key, once)

    async def to(self, wanted: Wanted, email_key: str, once: Once[None]) -> None:
        """Do it for an address that was understood before."""
        sealed = base64.urlsafe_b64encode(self.box.seal(email_key.encode(), bound_to=SEAL_PURPOSE)).decode()
        await self.accounts.tell([events.link_wanted(wanted, sealed)], once)


@dataclass(frozen=True, slots=True)
class Mailing:
    """How one kind of link is mailed: `is_for` says which accounts it is for, `counted_as` among which mails it counts."""

    make: Callable[[Account, datetime], tuple[Link, Job]]
    is_for: Callable[[Account], bool] = lambda _: True
    counted_as: str = "mail"


@dataclass(frozen=True, slots=True)
class MailLink:
    """Mails what was ordered, where the address has an account that it is for."""

    accounts: Accounts
    mailing: MailingLinks
    box: Secrets
    kinds: Mapping[Wanted, Mailing]
    clock: Callable[[], datetime]

    async def __call__(self, wanted: str, sealed: str) -> None:
        """Do it."""
        key = self.box.open(base64.urlsafe_b64decode(sealed), bound_to=SEAL_PURPOSE).decode()
        now, kind = self.clock(), self.kinds[Wanted(wanted)]
        may_mail = await self.mailing.may_mail(key, now, kind.counted_as)
        known = await self.accounts.by_email(key)
        if known is None or not kind.is_for(known) or not may_mail:
            return
        link, mail = kind.make(known, now)
        with suppress(NotFound):  # it has just gone
            await self.accounts.mail([link], [mail], unkeyed())
