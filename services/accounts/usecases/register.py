"""Register: make an account, and mail its owner a link to confirm the address.

The answer is the same, and so is the work, whether the address has an account or not: who asks learns nothing, and the
owner gets a mail either way. A registration that is repeated before the address was confirmed does not touch the
account: what it said (the password above all) is kept with its own link, and counts once that link is used. So nobody can
lie in wait with a password on somebody else's address (Sudhodanan & Paverd, "Pre-hijacked accounts", 2022).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.accounts import events
from services.accounts.domain.accounts import Account, Profile, check_profile
from services.accounts.domain.links import Claimed, EmailTaken
from services.accounts.domain.passwords import PasswordRules
from services.accounts.hashing import Hashing
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.mailing_links import MailingLinks
from services.chassis import context
from services.chassis.addresses import Address, parse_address
from services.chassis.bus.event import Message
from services.chassis.idempotency import Once
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.problems import NotFound, Unavailable

ID_BYTES = 15
RACES = 3


@dataclass(frozen=True, slots=True)
class Register:
    """Makes accounts. Raises `Invalid` for what can't be an account, and nothing that tells of another one."""

    accounts: Accounts
    rules: PasswordRules
    hashing: Hashing
    mailing: MailingLinks
    clock: Callable[[], datetime]
    metrics: Metrics
    log: Logger

    async def __call__(self, email: str, password: str, profile: Profile, once: Once[None]) -> None:
        """Register somebody, or tell the owner of the address that somebody tried."""
        address, now = parse_address(email), self.clock()
        profile = check_profile(profile, now.date())
        password = self.rules.check(password, (profile.name, address.text))
        claimed = Claimed(await self.hashing.hash(password), profile)
        may_mail = await self.mailing.may_mail(address.key, now)
        for _ in range(RACES):
            known = await self.accounts.holder_of(address.key, now)
            try:
                if known is None:
                    await self._add(address, claimed, now, once)
                elif may_mail:
                    await self._tell(known, address, claimed, now, once)
                else:
                    await self.accounts.tell((), once)
            except (EmailTaken, NotFound):  # another registration, or the end of the account, was at the same moment
                continue
            return
        raise Unavailable(retry_after_s=1)

    async def _add(self, address: Address, claimed: Claimed, now: datetime, once: Once[None]) -> None:
        account = Account(secrets.token_urlsafe(ID_BYTES), address.text, claimed.password, claimed.profile, now)
        link, mail = self.mailing.activation(account, now)
        told: list[Message] = [events.registered(account), events.profile_changed(account), mail]
        await self.accounts.add(account, address.key, [link], told, once)
        context.about(account.id)
        self.metrics.incr("accounts.registered")
        self.log.info("account.registered")

    async def _tell(self, known: Account, address: Address, claimed: Claimed, now: datetime, once: Once[None]) -> None:
        if parse_address(known.email).key != address.key:  # it was theirs until lately
            await self.accounts.tell([events.mail("email-in-use", known, to=address.text)], once)
        elif known.activated:
            await self.accounts.tell([events.mail("already-registered", known)], once)
        else:
            link, mail = self.mailing.activation(known, now, claimed)
            await self.accounts.mail([link], [mail], once)
