"""Make the links that are mailed, and see that nobody has us flood a stranger's mailbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.accounts.domain.accounts import Account
from services.accounts.domain.attempts import Limits
from services.accounts.domain.links import GOOD_FOR, Claimed, Link, Purpose, hash_secret, new_secret
from services.accounts.events import mail
from services.accounts.store.attempts import Attempts
from services.chassis.bus.event import Job


@dataclass(frozen=True, slots=True)
class MailingLinks:
    """What every use case that mails a link needs. `hash_name` makes the keyed hash that a counter is known by."""

    attempts: Attempts
    limits: Limits
    hash_name: Callable[[str], str]
    activation_hours: int

    async def may_mail(self, email_key: str, now: datetime, kind: str = "mail") -> bool:
        """Whether this address may get one more mail that a stranger can ask for; each kind is counted by itself."""
        name = self.hash_name(f"{kind}:{email_key}")
        return (await self.attempts.count(name, self.limits.mail_window, now)).number <= self.limits.mails

    def activation(self, account: Account, now: datetime, claimed: Claimed | None = None) -> tuple[Link, Job]:
        """A link that confirms the account's address, and the mail that carries it."""
        good_for = timedelta(hours=self.activation_hours)
        return _mailed("activate", Purpose.ACTIVATION, account, now, good_for, claimed=claimed)

    def password_reset(self, account: Account, now: datetime) -> tuple[Link, Job]:
        """A link that lets its holder choose a new password, and the mail that carries it."""
        return _mailed("password-reset", Purpose.PASSWORD_RESET, account, now)

    def email_change(self, account: Account, email: str, now: datetime) -> tuple[Link, Job]:
        """A link that makes an address the account's, and the mail that carries it there."""
        return _mailed("confirm-email", Purpose.EMAIL_CHANGE, account, now, email=email, to=email)

    def recovery(self, template: str, account: Account, new_email: str, now: datetime) -> tuple[Link, Job]:
        """A link that brings the present address back, with a new password, and the mail that carries it there."""
        more = {"address": new_email}
        return _mailed(template, Purpose.RECOVERY, account, now, email=account.email, more=more)

    def unlock(self, account: Account, now: datetime) -> tuple[Link, Job]:
        """A link that ends the wait after too many failures, and the mail that carries it."""
        return _mailed("unlock", Purpose.UNLOCK, account, now)


def _mailed(
    template: str,
    purpose: Purpose,
    account: Account,
    now: datetime,
    good_for: timedelta | None = None,
    *,
    claimed: Claimed | None = None,
    email: str | None = None,
    to: str | None = None,
    more: dict[str, Any] | None = None,
) -> tuple[Link, Job]:
    secret, good_for = new_secret(), good_for or GOOD_FOR[purpose]
    link = Link(hash_secret(secret), purpose, account.id, now + good_for, claimed, email)
    data = {"token": secret, "hours": good_for // timedelta(hours=1), **(more or {})}
    return link, mail(template, account, data, to=to)
