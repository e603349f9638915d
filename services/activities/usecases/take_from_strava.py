"""Taking one run as Strava tells it: kept once, however often it is told, and one with the file that it also came in."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from services.activities.domain.activity import Activity
from services.activities.domain.labels import GearSaid
from services.activities.domain.local_time import kept, known_zone
from services.activities.domain.merging import merged
from services.activities.domain.problems import DuplicateActivity, NotAnActivity, RemovedHere
from services.activities.domain.strava import StravaRun, said_at_strava, written
from services.activities.formats.sport_names import sport_named
from services.activities.parsers.parsed import ParsedFile
from services.activities.parsers.pool import ParserPool
from services.activities.store.activities import ActivityStore
from services.activities.store.arrivals import NewActivity
from services.activities.store.originals import Originals
from services.activities.store.strava_runs import StravaRuns
from services.activities.usecases.import_file import new_activities
from services.activities.usecases.in_their_sports import InTheirSports
from services.activities.usecases.name_gear import NameGear
from services.activities.usecases.newcomers import refuse_deleted
from services.chassis.idempotency import unkeyed
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.problems import Conflict, Invalid, NotFound
from services.chassis.tombstones import Tombstones

Outcome: TypeAlias = Literal["added", "merged", "unchanged", "removed"]

ATTEMPTS = 3
LATELY = timedelta(days=7)  # older runs were not done in today's shoes


class Taken(Struct, frozen=True):
    """What became of a run, and the activity that it is; none where its runner had removed it."""

    outcome: Outcome
    activity_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """A run, the bytes of what was measured, and the gear that was meant."""

    owner: str
    strava_id: str
    run: StravaRun
    content: bytes
    gear_id: str | None


@dataclass(frozen=True, slots=True)
class TakeFromStrava:
    """Keep a run that Strava told of."""

    parsers: ParserPool
    originals: Originals
    store: ActivityStore
    in_their_sports: InTheirSports
    strava_runs: StravaRuns
    name_gear: NameGear
    tombstones: Tombstones
    new_id: Callable[[], str]
    clock: Callable[[], datetime]
    log: Logger
    metrics: Metrics

    async def __call__(self, owner: str, strava_id: str, run: StravaRun) -> Taken:
        """What became of it. Told again, what is different there is here, too, but for what its runner said here.

        Raises `Invalid` where it can't have been so, and `Conflict` where it is changed here all the time.
        """
        await refuse_deleted(self.tombstones, owner)
        if known_zone(run.timezone) is None:
            raise Invalid.field("timezone", "This is not an IANA time zone, such as Europe/Paris")
        try:
            taken = await self._take(owner, strava_id, run)
        except RemovedHere:
            taken = Taken("removed")
        except DuplicateActivity as same:
            taken = Taken("unchanged", same.extra["existing"]["id"])
        self.metrics.incr("activities.strava_runs", outcome=taken.outcome)
        self.log.info("activity.taken_from_strava", outcome=taken.outcome, activity_id=taken.activity_id)
        return taken

    async def _take(self, owner: str, strava_id: str, run: StravaRun) -> Taken:
        for _ in range(ATTEMPTS):
            try:
                await self.strava_runs.refuse_removed(owner, strava_id)
                linked = await self.strava_runs.activity(owner, strava_id)
                known = await self.store.read(owner, linked) if linked else None
                content, sha256 = await asyncio.to_thread(_written, run)
                gear_id = await self._gear_id(owner, run, known)
                told = _Told(owner, strava_id, run, content, gear_id)
                if known is not None and (known.source.kind == "file" or known.source.sha256 == sha256):
                    return await self._take_words(told, known)
                return await self._take_all(told)
            except (Conflict, NotFound) as problem:  # it was changed or removed at the same moment
                if isinstance(problem, DuplicateActivity | RemovedHere):
                    raise
        raise Conflict("Another change was made at the same moment: try again")

    async def _gear_id(self, owner: str, run: StravaRun, known: Activity | None) -> str | None:
        """The gear that is meant; what the runner has taken off the run here is not to come back by this."""
        if not run.gear or (known is not None and known.said_by.gear_id == "runner"):
            return None
        kind = "bike" if sport_named(run.sport_type) == "cycling" else "shoes"
        return await self.name_gear(owner, GearSaid(name=run.gear, kind=kind))

    async def _take_words(self, told: _Told, known: Activity) -> Taken:
        """Where what was measured is here already: only what was said may be different."""
        now = kept(self.clock())

        def retold(activity: Activity) -> Activity:
            new = said_at_strava(activity, told.run, told.strava_id, told.gear_id)
            new = msgspec.structs.replace(new, updated_at=now)
            return merged(activity, new, "refresh", sampled=(True, True)).activity

        if retold(known) == known:
            return Taken("unchanged", known.id)
        after = await self.store.correct(told.owner, known.id, retold, None)
        return Taken("unchanged" if after == known else "merged", known.id)

    async def _take_all(self, told: _Told) -> Taken:
        parsed = await self._parsed(told.content)
        now = self.clock()
        (found,) = new_activities(told.owner, "", parsed, self.new_id, now)
        activity = said_at_strava(found.activity, told.run, told.strava_id, told.gear_id)
        lately = now - activity.started_at < LATELY
        one = NewActivity(activity, found.parsed, takes_default_gear=lately)
        new = await self.in_their_sports(told.owner, told.content, [one], "refresh")
        place = await self.originals.put_away(told.owner, parsed.sha256, parsed.original)
        arrived = await self.store.merge(told.owner, new, place, unkeyed(), "refresh")
        (activity,) = arrived.added or arrived.merged
        return Taken("added" if arrived.added else "merged", activity.id)

    async def _parsed(self, content: bytes) -> ParsedFile:
        """What was measured. Raises `Invalid`."""
        try:
            return await self.parsers.parse_in_background(content)
        except NotAnActivity as problem:
            raise Invalid.field("streams", problem.detail) from None


def _written(run: StravaRun) -> tuple[bytes, str]:
    content = written(run)
    return content, hashlib.sha256(content).hexdigest()
