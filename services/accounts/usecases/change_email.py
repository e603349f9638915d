"""Change the address of one's account: ask with the password, confirm with the link that is mailed to the new address.

Whether somebody else has the new address is not told to who asks: the answer, the work and the mail to the old address are
the same, and the owner of the new one is told there. It is looked at again where it counts, when the link is used.

A thief who knows the password would do this first. So the old address is told when it is asked for and again when it is done,
each time with a link that brings it back together with a new password. While such a link is good nobody else gets the
address: else the thief would register it, and block the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from services.accounts import events
from services.accounts.domain.accounts import Account
from services.accounts.domain.attempts import TooManyAttempts
from services.accounts.domain.links import EmailTaken, Link, LinkGone, Purpose, hash_secret
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.confirm_password import ConfirmPassword
from services.accounts.usecases.mailing_links import MailingLinks
from services.chassis import context
from services.chassis.addresses import Address, parse_address
from services.chassis.bus.event import Job, Message
from services.chassis.idempotency import Once
from services.chassis.logs import Logger
from services.chassis.problems import Invalid


@dataclass(frozen=True, slots=True)
class AskForEmailChange:
    """Mails both addresses.

    Raises `Invalid` for what is no address, for one's own and for a wrong password, which counts as a failed sign-in
    (`TooManyAttempts`, also for who asks too often), and `NotFound`.
    """

    accounts: Accounts
    confirm_password: ConfirmPassword
    mailing: MailingLinks
    clock: Callable[[], datetime]

    async def __call__(self, sub: str, email: str, password: str, *, client_ip: str, once: Once[None]) -> None:
        """Do it."""
        address = parse_address(email)
        account = await self.confirm_password(sub, password, client_ip=client_ip)
        if address.text == account.email:
            raise Invalid.field("email", "This is the address of your account already")
        now = self.clock()
        if not await self.mailing.may_mail(sub, now, "email-change"):
            raise TooManyAttempts(retry_after_s=int(self.mailing.limits.mail_window.total_seconds()))
        links, mails = await self._to_the_new(account, address, now)
        recovery, told = self.mailing.recovery("email-change-asked", account, address.text, now)
        await self.accounts.mail([*links, recovery], [*mails, told], once)

    async def _to_the_new(self, account: Account, address: Address, now: datetime) -> tuple[list[Link], list[Job]]:
        may_mail = await self.mailing.may_mail(address.key, now)
        holder = await self.accounts.holder_of(address.key, now)
        if not may_mail:
            return [], []
        if holder is None or holder.id == account.id:
            link, mail = self.mailing.email_change(account, address.text, now)
            return [link], [mail]
        return [], [events.mail("email-in-use", holder, to=address.text)]


@dataclass(frozen=True, slots=True)
class ConfirmEmail:
    """Makes the new address the account's. Raises `LinkGone`, and `EmailTaken` where somebody else has it by now."""

    accounts: Accounts
    mailing: MailingLinks
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, secret: str) -> Account:
        """The account, changed."""
        now, link_hash = self.clock(), hash_secret(secret)
        known, link = await self.accounts.by_link(link_hash, (Purpose.EMAIL_CHANGE,), now)
        if link.email is None:
            raise LinkGone
        holder = await self.accounts.holder_of(parse_address(link.email).key, now)
        if holder is not None and holder.id != known.id:
            raise EmailTaken
        recovery, told = self.mailing.recovery("email-changed", known, link.email, now)

        def change(account: Account, used: Link) -> Account:
            return replace(account, email=used.email or account.email)

        def tell(_: Account, after: Account) -> Sequence[Message]:
            return [events.email_changed(after), told]

        account = await self.accounts.use_link(link_hash, Purpose.EMAIL_CHANGE, now, change, tell, leave=[recovery])
        context.about(account.id)
        self.log.info("account.email_changed")
        return account
