"""Gear: a list to add to, and a piece to read, change and remove."""

from __future__ import annotations

from msgspec import Struct

from services.activities.domain.gear import Gear, GearChange, NewGear
from services.activities.domain.sports import Sport
from services.activities.handlers.activities import READ, WRITE
from services.activities.usecases import UseCases
from services.chassis.answers import Answer, Page
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.operations import operation
from services.chassis.paging import PageQuery
from services.chassis.problems import Stale

PATH = "/api/v1/gear"


class GearView(Struct, frozen=True):
    """A piece of gear, and how far it has come. It is retired by its owner, or once it has come to `retire_at_m`."""

    id: str
    kind: str
    name: str
    distance_m: float
    activities: int
    retire_at_m: float | None
    retired: bool
    default_for: tuple[Sport, ...]

    @classmethod
    def of(cls, gear: Gear) -> GearView:
        """The view of a piece."""
        return cls(
            gear.id,
            gear.kind,
            gear.name,
            gear.distance_m,
            gear.activities,
            gear.retire_at_m,
            gear.retired,
            gear.default_for,
        )


class Shelf(Endpoint[UseCases]):
    """All gear of a runner."""

    @operation("listGear", scope=READ)
    async def get(self, query: PageQuery) -> Page[GearView]:
        """List gear: what is in use first, by name."""
        return self.page_of_all(query, [GearView.of(gear) for gear in await self.uses.gear.list(self.caller.sub)])

    @operation("addGear", scope=WRITE, status=201)
    async def post(self, body: NewGear, once: Once[Gear]) -> Answer[GearView]:
        """Add a piece of gear. What it is the default of, nothing else is any more."""
        return added(await self.uses.gear.add(self.caller.sub, body, once.answering(added)))


class OneGear(Endpoint[UseCases]):
    """One piece of gear."""

    @operation("readGear", scope=READ)
    async def get(self, gear_id: str) -> Answer[GearView]:
        """Read a piece of gear."""
        return answer(await self.uses.gear.read(self.caller.sub, gear_id))

    @operation("changeGear", scope=WRITE, problems=(Stale,))
    async def patch(self, gear_id: str, body: GearChange) -> Answer[GearView]:
        """Change a piece of gear: what is left out stays."""
        return answer(await self.uses.gear.change(self.caller.sub, gear_id, body, self.expected_version))

    @operation("removeGear", scope=WRITE, problems=(Stale,))
    async def delete(self, gear_id: str) -> None:
        """Remove a piece of gear; the activities that had it have none then."""
        await self.uses.gear.remove(self.caller.sub, gear_id, self.expected_version)


def answer(gear: Gear) -> Answer[GearView]:
    """A piece as an answer, with its version."""
    return Answer(GearView.of(gear), version=gear.version)


def added(gear: Gear) -> Answer[GearView]:
    """A new piece as an answer, with its place."""
    return Answer(GearView.of(gear), version=gear.version, location=f"{PATH}/{gear.id}")


ROUTES = (Route(PATH, Shelf), Route(f"{PATH}/{{gear_id}}", OneGear))
