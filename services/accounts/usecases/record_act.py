"""Put the privileged acts of other services, and of commands, into the audit trail."""

from __future__ import annotations

from dataclasses import dataclass

from services.accounts.store.trail import Trail
from services.chassis.audit import Act
from services.chassis.logs import Logger


@dataclass(frozen=True, slots=True)
class RecordAct:
    """Each once, however often it is heard of."""

    trail: Trail
    log: Logger

    async def __call__(self, act: Act) -> None:
        """Do it. The line in the log is a witness outside the database: it has the seal, which follows from all before."""
        entry = await self.trail.record(act)
        if entry is not None:
            self.log.info("audit.recorded", action=entry.action, number=entry.number, seal=entry.seal)
