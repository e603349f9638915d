"""Choose a new password with a link that was mailed: ask for the link, and use it.

Who uses the link reads the mail of the address, so it also confirms an address that was not. All sessions end: whoever
has one may be the reason for the new password. They end at once where the tokendealer answers, and by the event of the
change where it does not just now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from services.accounts import events
from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.accounts import Account, with_password
from services.accounts.domain.links import Link, Purpose, hash_secret
from services.accounts.domain.passwords import check_password
from services.accounts.hashing import Hashing
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.back_off import BackOff
from services.accounts.usecases.mailing_links import MailingLinks
from services.chassis.addresses import parse_address
from services.chassis.http_answers import PeerUnavailable
from services.chassis.idempotency import Once


@dataclass(frozen=True, slots=True)
class MailPasswordReset:
    """Mails the link; the answer is the same for an address that has no account. Raises `Invalid` for no address."""

    accounts: Accounts
    mailing: MailingLinks
    clock: Callable[[], datetime]

    async def __call__(self, email: str, once: Once[None]) -> None:
        """Mail it, where there is an account."""
        address, now = parse_address(email), self.clock()
        may_mail = await self.mailing.may_mail(address.key, now)
        known = await self.accounts.by_email(address.key)
        if known is None or not may_mail:
            await self.accounts.tell(None, [], once)
            return
        link, mail = self.mailing.password_reset(known, now)
        await self.accounts.tell(link, [mail], once)


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """Puts the new password in place. Raises `LinkGone`, and `Invalid` for what is no password: the link then still works."""

    accounts: Accounts
    hashing: Hashing
    tokendealer: Tokendealer
    back_off: BackOff
    clock: Callable[[], datetime]

    async def __call__(self, secret: str, password: str) -> None:
        """Do it."""
        hashed, now = await self.hashing.hash(check_password(password)), self.clock()

        def change(account: Account, _: Link) -> Account:
            activated_at = account.activated_at or now
            return with_password(replace(account, activated_at=activated_at), hashed, now)

        account = await self.accounts.use_link(
            hash_secret(secret), Purpose.PASSWORD_RESET, now, change, lambda _, after: [events.password_changed(after)]
        )
        await self.back_off.forgive(parse_address(account.email).key)
        try:
            await self.tokendealer.end_all(account.id)
        except PeerUnavailable:
            return  # the event sees to it
