"""Erase a person everywhere: ask every owner until each has confirmed, mail the receipt, and look once more.

Once more, because a request or a handler that was under way when the first round came by may have saved something after
it. Tokens are refused within seconds of a deletion, so that a few minutes later there is nothing under way any more. Until
then we know who it was; not where the receipt went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.accounts import events
from services.accounts.clients.owners import Owners
from services.accounts.domain.deletions import Deletion, KeptBy, Person, Stage
from services.accounts.store.deletions import Deletions
from services.accounts.usecases.deletions import Seal
from services.chassis.bus.retry import Retry
from services.chassis.http_answers import PeerRefused, PeerUnavailable
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics

PATIENCE = Retry(first_s=1.0, most_s=900.0)
MEASURE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class ErasePerson:
    """Works on one deletion at a time: safe to repeat, and to be killed. It never gives up."""

    deletions: Deletions
    owners: Owners
    seal: Seal
    sweep_after: timedelta
    clock: Callable[[], datetime]
    log: Logger
    metrics: Metrics

    async def __call__(self, deletion_id: str) -> None:
        """Go on with a deletion, to the end of its stage where every owner confirms; else it is put off."""
        async with self.deletions.leases.taken(deletion_id) as mark:
            deletion = await self.deletions.find(deletion_id) if mark else None
            person = self.seal.open(deletion) if deletion else None
            if mark is None or deletion is None or person is None:
                return
            waiting = deletion.waits_for(self.owners.names)
            confirmed = await asyncio.gather(*(self._erase(owner, person, deletion, mark) for owner in waiting))
            if not all(confirmed):
                wait = timedelta(seconds=PATIENCE.delay_s(deletion.failures + 1))
                await self.deletions.leases.put_off(deletion.id, mark, self.clock() + wait)
            elif deletion.stage is Stage.ERASING:
                await self._tell(person, deletion, mark)
            else:
                await self.deletions.finish(deletion, mark, self.clock())
                self.log.info("deletion.finished")

    async def measure(self) -> None:
        """Measure how long the oldest deletion has waited for a confirmation, until cancelled."""
        while True:
            since = await self.deletions.erasing_since()
            self.metrics.gauge("deletions.age", (self.clock() - since).total_seconds() if since else 0.0)
            await asyncio.sleep(MEASURE_EVERY_S)

    async def _erase(self, owner: str, person: Person, deletion: Deletion, mark: str) -> bool:
        try:
            erased = await self.owners.erase(owner, person.sub)
        except (PeerUnavailable, PeerRefused) as reason:
            self.log.warning("deletion.deferred", asked=owner, reason=str(reason), failures=deletion.failures)
            return False
        kept = [KeptBy(owner, one.what, one.why, one.until) for one in erased.kept]
        await self.deletions.confirm(deletion, mark, owner, kept, self.clock())
        return True

    async def _tell(self, person: Person, deletion: Deletion, mark: str) -> None:
        now = self.clock()
        receipt = [events.receipt(person, deletion, self.owners.names)] if person.email else []
        sealed = self.seal.close(deletion.id, replace(person, email=None))
        await self.deletions.tell(deletion, mark, sealed, receipt, now=now, sweep_at=now + self.sweep_after)
        took_s = (now - deletion.requested_at).total_seconds()
        self.log.info("deletion.confirmed", ms=round(took_s * 1000))
