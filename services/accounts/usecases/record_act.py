"""Put the privileged acts of other services, and of commands, into the audit trail."""

from __future__ import annotations

from dataclasses import dataclass

from services.accounts.domain.trail import Entry
from services.accounts.store.trail import Trail
from services.chassis.audit import Act
from services.chassis.logs import Logger


@dataclass(frozen=True, slots=True)
class RecordAct:
    """Each once, however often it is heard of."""

    trail: Trail
    log: Logger

    async def __call__(self, act: Act) -> None:
        """Do it."""
        entry = await self.trail.record(act)
        if entry is not None:
            self.witness(entry)

    def witness(self, entry: Entry) -> None:
        """Tell the log: a witness outside the database, as the line has the seal, which follows from all before."""
        self.log.info("audit.recorded", action=entry.action, number=entry.number, seal=entry.seal)
