"""Activities: a list to add to, and one to read, correct and remove."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, field

from services.activities.domain.activity import Activity
from services.activities.domain.corrections import Correction, ManualActivity
from services.activities.domain.listing import Order, Position, Wanted
from services.activities.domain.problems import DuplicateActivity, NotAnActivity
from services.activities.domain.sports import Sport
from services.activities.handlers.views import ActivityView
from services.activities.usecases import UseCases
from services.chassis.answers import Answer, Items, Page, Stream
from services.chassis.endpoint import Endpoint, Route
from services.chassis.idempotency import Once
from services.chassis.intake import Upload
from services.chassis.operations import operation
from services.chassis.paging import PageQuery
from services.chassis.problems import Stale

READ, WRITE = "activities:read", "activities:write"
CSV = "text/csv"
PATH = "/api/v1/activities"


class ListQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which activities to list, and in which order."""

    first: Annotated[date | None, Meta(description="From this local date on")] = field(default=None, name="from")
    last: Annotated[date | None, Meta(description="To this local date, included")] = field(default=None, name="to")
    sport: Sport | None = None
    q: Annotated[str, Meta(max_length=100, description="A part of the title")] | None = None
    sort: Order = "-started_at"


class Activities(Endpoint[UseCases]):
    """All activities of a runner."""

    @operation("listActivities", scope=READ, also=CSV, kept=True)
    async def get(self, query: ListQuery) -> Page[ActivityView] | Stream:
        """List activities; as `text/csv` all of them at once, whatever the limit."""
        wanted = Wanted(query.first, query.last, query.sport, query.q)
        if self.media_type == CSV:
            rows = self.uses.list_as_csv(self.caller.sub, wanted, query.sort)
            return Stream(rows, f"{CSV}; charset=utf-8", "activities.csv")
        after = self.position(query, Position)
        found, following = await self.uses.list_activities(self.caller.sub, wanted, query.sort, after, query.limit)
        return self.page(query, [ActivityView.of(activity) for activity in found], following)

    @operation("uploadActivity", scope=WRITE, status=201, problems=(DuplicateActivity, NotAnActivity))
    async def post(
        self, upload: Upload, once: Once[tuple[Activity, ...]]
    ) -> Answer[ActivityView | Items[ActivityView]]:
        """Import a file: FIT, GPX or TCX, each also gzipped.

        What it is, its content tells, not its name. A file of several sports gives `items`, an activity each, and no
        `Location`.
        """
        return added(await self.uses.import_file(self.caller.sub, upload, once.answering(added)))


class ManualActivities(Endpoint[UseCases]):
    """Activities that no device recorded."""

    @operation("addActivity", scope=WRITE, status=201, problems=(DuplicateActivity,))
    async def post(self, body: ManualActivity, once: Once[tuple[Activity, ...]]) -> Answer[ActivityView]:
        """Add an activity by hand."""

        def one_added(activities: tuple[Activity, ...]) -> Answer[ActivityView]:
            return answer(activities[0], located=True)

        return one_added((await self.uses.add_by_hand(self.caller.sub, body, once.answering(one_added)),))


class OneActivity(Endpoint[UseCases]):
    """One activity."""

    @operation("readActivity", scope=READ, kept=True)
    async def get(self, activity_id: str) -> Answer[ActivityView]:
        """Read an activity."""
        return answer(await self.uses.read_activity(self.caller.sub, activity_id))

    @operation("correctActivity", scope=WRITE, problems=(Stale,))
    async def patch(self, activity_id: str, body: Correction) -> Answer[ActivityView]:
        """Correct an activity: what is left out stays."""
        return answer(await self.uses.correct_activity(self.caller.sub, activity_id, body, self.expected_version))

    @operation("removeActivity", scope=WRITE, problems=(Stale,))
    async def delete(self, activity_id: str) -> None:
        """Remove an activity, with its file, and take it out of the statistics."""
        await self.uses.remove_activity(self.caller.sub, activity_id, self.expected_version)


def answer(activity: Activity, *, located: bool = False) -> Answer[ActivityView]:
    """An activity as an answer, with its version and, where it is new, its place."""
    location = f"{PATH}/{activity.id}" if located else None
    return Answer(ActivityView.of(activity), version=activity.version, location=location)


def added(activities: tuple[Activity, ...]) -> Answer[ActivityView | Items[ActivityView]]:
    """What an import answers: the one activity, or all of them."""
    if len(activities) > 1:
        return Answer(Items([ActivityView.of(activity) for activity in activities]))
    view = answer(activities[0], located=True)
    return Answer(view.value, version=view.version, location=view.location)


ROUTES = (
    Route(PATH, Activities),
    Route(f"{PATH}/manual", ManualActivities),
    Route(f"{PATH}/{{activity_id}}", OneActivity),
)
