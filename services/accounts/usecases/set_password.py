"""Set another password: by a link that was mailed, or with the one before. It ends what the one before had opened.

All sessions end, and what apps were let do, but the session in which somebody changes it: whoever has one may be the reason
for the new password. They end at once where the tokendealer answers, and by the event of the change where it does not just
now. The owner is told by mail.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from services.accounts import events
from services.accounts.clients.tokendealer import Tokendealer
from services.accounts.domain.accounts import Account, with_password
from services.accounts.domain.links import VOIDS, Link, Purpose, hash_secret
from services.accounts.domain.passwords import PasswordRules
from services.accounts.hashing import Hashing
from services.accounts.store.accounts import Accounts
from services.accounts.usecases.back_off import BackOff
from services.accounts.usecases.confirm_password import ConfirmPassword
from services.chassis import context
from services.chassis.addresses import parse_address
from services.chassis.bus.event import Message
from services.chassis.http_answers import PeerUnavailable
from services.chassis.logs import Logger
from services.chassis.problems import Invalid


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """Puts the new password in place. Raises `LinkGone`, and `Invalid` for what is no password: the link then still works.

    Who uses the link reads the mail of the address, so it also confirms one that was not. The link of a recovery brings its
    address back with it; raises `EmailTaken` where somebody else has that by now.
    """

    accounts: Accounts
    rules: PasswordRules
    hashing: Hashing
    tokendealer: Tokendealer
    back_off: BackOff
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, secret: str, password: str) -> None:
        """Do it."""
        now, link_hash = self.clock(), hash_secret(secret)
        known, link = await self.accounts.by_link(link_hash, (Purpose.PASSWORD_RESET, Purpose.RECOVERY), now)
        context.about(known.id)
        hashed = await self.hashing.hash(self.rules.check(password, known.known_of_owner))

        def change(account: Account, used: Link) -> Account:
            confirmed = replace(account, activated_at=account.activated_at or now, email=used.email or account.email)
            return with_password(confirmed, hashed, now)

        account = await self.accounts.use_link(link_hash, link.purpose, now, change, told_of)
        self.log.info("account.password_set", by=str(link.purpose))
        await self.back_off.forgive(parse_address(account.email).key)
        with contextlib.suppress(PeerUnavailable):  # the event sees to it
            await self.tokendealer.end_all(account.id)


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Puts a new password in the place of the old one.

    Raises `Invalid` for an old one that is wrong, which counts as a failed sign-in (`TooManyAttempts`), and for a new one that
    is none; `NotFound`.
    """

    accounts: Accounts
    confirm_password: ConfirmPassword
    rules: PasswordRules
    hashing: Hashing
    tokendealer: Tokendealer
    clock: Callable[[], datetime]
    log: Logger

    async def __call__(self, sub: str, old: str, new: str, *, client_ip: str, session: str | None) -> None:
        """Do it, and keep this session."""
        known = await self.confirm_password(sub, old, client_ip=client_ip, field="old")
        hashed = await self.hashing.hash(self.rules.check(new, known.known_of_owner, "new"))
        now = self.clock()

        def change(account: Account) -> Account:
            if account.password_set_at != known.password_set_at:
                raise Invalid.field("old", "Another password was set at this moment")
            return with_password(account, hashed, now)

        def tell(before: Account, after: Account) -> Sequence[Message]:
            return told_of(before, after, keep=session)

        await self.accounts.change(sub, change, tell, void=VOIDS[Purpose.PASSWORD_RESET])
        self.log.info("account.password_set", by="password")
        with contextlib.suppress(PeerUnavailable):  # the event sees to it
            await self.tokendealer.end_all(sub, keep=session)


def told_of(before: Account, after: Account, *, keep: str | None = None) -> Sequence[Message]:
    """What is told of another password: that the sessions of before are over, and to the owner, that it is another one."""
    told: list[Message] = [events.password_changed(after, keep=keep), events.mail("password-changed", after)]
    return told if before.email == after.email else [*told, events.email_changed(after)]
