"""The people protocol over HTTP: each service's `/internal/v1/people/{sub}`, for the one service that walks them all."""

from __future__ import annotations

from typing import Any

from services.chassis.answers import Stream
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import operation
from services.chassis.people import Commitments, Erased
from services.chassis.problems import Forbidden
from services.chassis.scopes import SERVICE

WALKER = "accounts"


class PeoplesEndpoint(Endpoint[Any]):
    """An endpoint for the service that walks all owners in the person's name, and no other."""

    def only_for_the_walker(self) -> None:
        """Raise `Forbidden` for any other."""
        if self.caller.sub != WALKER:
            raise Forbidden(f"Only {WALKER} takes people out, or erases them")


class Person(PeoplesEndpoint):
    """What this service holds of one person."""

    @operation("takeOutPerson", scope=SERVICE, timeout_s=600)
    async def get(self, sub: str) -> Stream:
        """Stream all that is held of a person, as a tar archive."""
        self.only_for_the_walker()
        return Stream(self.serving.held_people.takeout(sub), "application/x-tar")

    @operation("erasePerson", scope=SERVICE, timeout_s=600)
    async def delete(self, sub: str) -> Erased:
        """Remove all that is held of a person; tell what a law says to keep."""
        self.only_for_the_walker()
        return await self.serving.held_people.erase(sub)


class PersonsCommitments(PeoplesEndpoint):
    """What is under way for one person."""

    @operation("readCommitments", scope=SERVICE)
    async def get(self, sub: str) -> Commitments:
        """Tell whether something is under way for a person that must not end without their doing."""
        self.only_for_the_walker()
        return await self.serving.held_people.commitments(sub)


ROUTES = (
    Route("/internal/v1/people/{sub}", Person),
    Route("/internal/v1/people/{sub}/commitments", PersonsCommitments),
)
