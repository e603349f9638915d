"""The knobs that make a party misbehave."""

from __future__ import annotations

from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.sandbox.faults import Fault
from services.sandbox.usecases import UseCases


class PartyFaults(Endpoint[UseCases]):
    """The knobs of one party."""

    @operation("readFault", scope=None)
    async def get(self, party: str) -> Fault:
        """Read how a party misbehaves now."""
        return self.uses.faults.of(party)

    @operation("putFault", scope=None)
    async def put(self, party: str, body: Fault) -> Fault:
        """Have a party misbehave from now on; an empty object makes it well again."""
        return await self.uses.faults.put(party, body)


ROUTES = (Route("/faults/{party}", PartyFaults),)
