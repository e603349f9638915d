"""Make the links that are mailed, and see that nobody has us flood a stranger's mailbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.accounts.domain.accounts import Account
from services.accounts.domain.attempts import Limits
from services.accounts.domain.links import Claimed, Link, Purpose, hash_secret, new_secret
from services.accounts.events import mail
from services.accounts.store.attempts import Attempts
from services.chassis.bus.event import Job

RESET_HOURS = 2


@dataclass(frozen=True, slots=True)
class MailingLinks:
    """What every use case that mails a link needs. `hash_name` makes the keyed hash that a counter is known by."""

    attempts: Attempts
    limits: Limits
    hash_name: Callable[[str], str]
    activation_hours: int

    async def may_mail(self, email_key: str, now: datetime) -> bool:
        """Whether this address may get one more mail that a stranger can ask for."""
        name = self.hash_name(f"mail:{email_key}")
        return (await self.attempts.count(name, self.limits.mail_window, now)).number <= self.limits.mails

    def activation(self, account: Account, now: datetime, claimed: Claimed | None = None) -> tuple[Link, Job]:
        """A link that confirms the account's address, and the mail that carries it."""
        secret, hours = new_secret(), self.activation_hours
        link = Link(hash_secret(secret), Purpose.ACTIVATION, account.id, now + timedelta(hours=hours), claimed)
        return link, mail("activate", account, {"token": secret, "hours": hours})

    def password_reset(self, account: Account, now: datetime) -> tuple[Link, Job]:
        """A link that lets its holder choose a new password, and the mail that carries it."""
        secret = new_secret()
        link = Link(hash_secret(secret), Purpose.PASSWORD_RESET, account.id, now + timedelta(hours=RESET_HOURS))
        return link, mail("password-reset", account, {"token": secret, "hours": RESET_HOURS})
