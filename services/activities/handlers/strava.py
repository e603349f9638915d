"""What the service that talks to Strava hands over: a run at a time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from services.activities.domain.strava import StravaRun, is_id
from services.activities.usecases import UseCases
from services.activities.usecases.take_from_strava import Outcome
from services.chassis.endpoint import Endpoint, Route
from services.chassis.operations import MIB, operation
from services.chassis.problems import Forbidden, Invalid
from services.chassis.scopes import SERVICE

MAY_TELL = "strava"
LARGEST_RUN = 32 * MIB  # 250,000 samples of everything


class TakenView(Struct, frozen=True):
    """What became of a run: `merged` is one that was here and is different now, `removed` one that its runner removed."""

    outcome: Annotated[Outcome, Meta(description="The first three have an activity")]
    activity_id: str | None


class PersonsStravaRun(Endpoint[UseCases]):
    """One of Strava's runs of a person."""

    @operation("takeFromStrava", scope=SERVICE, body_limit=LARGEST_RUN)
    async def put(self, sub: str, strava_id: str, body: StravaRun) -> TakenView:
        """Take a run as Strava tells it now. It may be sent again, at any time."""
        if self.caller.sub != MAY_TELL:
            raise Forbidden("Only strava tells what Strava says")
        if not is_id(strava_id):
            raise Invalid.field("strava_id", "Strava's ids are numbers")
        taken = await self.uses.take_from_strava(sub, strava_id, body)
        return TakenView(taken.outcome, taken.activity_id)


INTERNAL_ROUTES = (Route("/internal/v1/people/{sub}/strava-runs/{strava_id}", PersonsStravaRun),)
