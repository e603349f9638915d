"""Remove accounts whose address nobody has confirmed for long, in the way of any deletion: every owner is asked to erase.

Nobody is told by mail: whose address it is never said so. An account stays where an owner has something under way for its
person, like a booking of the day for which it may be used unconfirmed, and is looked at again as much later. Who is just
confirming it, or has asked for a link to, keeps it (see the store).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.accounts.clients.owners import Owners
from services.accounts.domain.accounts import Account
from services.accounts.domain.deletions import Person
from services.accounts.store.accounts import Accounts
from services.accounts.store.deletions import Deletions
from services.accounts.usecases.deletions import Seal
from services.chassis.http_answers import PeerRefused, PeerUnavailable
from services.chassis.logs import Logger
from services.chassis.mongo import DatabaseError
from services.chassis.problems import NotFound, Unavailable

EVERY_S = 3600.0
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RemoveUnconfirmed:
    """Removes what has waited for `kept_for`. Safe in several processes at once, and to be killed."""

    accounts: Accounts
    deletions: Deletions
    owners: Owners
    seal: Seal
    kept_for: timedelta
    clock: Callable[[], datetime]
    log: Logger

    async def forever(self) -> None:
        """At the start, and every hour."""
        while True:
            with contextlib.suppress(DatabaseError, Unavailable):  # the next time
                await self()
            await asyncio.sleep(EVERY_S)

    async def __call__(self) -> None:
        """Do it once."""
        now = self.clock()
        removed = [await self._remove(account, now) for account in await self._waiting(now)]
        if any(removed):
            self.log.info("accounts.unconfirmed_removed", accounts=sum(removed))

    async def _waiting(self, now: datetime) -> list[Account]:
        return await self.accounts.unconfirmed(now - self.kept_for, AT_ONCE)

    async def _remove(self, account: Account, now: datetime) -> bool:
        """Whether it is gone."""
        try:
            if any([await self.owners.are_bound(owner, account.id) for owner in self.owners.names]):
                await self.accounts.wait_from(account.id, now)
                return False
            deletion = self.seal.begun(Person(account.id, None, account.profile.locale), now)
            await self.deletions.begin(deletion, account.id, unconfirmed_since=now - self.kept_for)
        except (PeerUnavailable, PeerRefused) as reason:  # one who is away may have something under way
            self.log.warning("accounts.unconfirmed_kept", reason=str(reason))
            return False
        except NotFound:  # it was confirmed at this moment, or another process was first
            return False
        return True
