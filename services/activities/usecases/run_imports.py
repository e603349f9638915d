"""Importing what is in an archive, file by file, in turns.

A turn works on one archive for a while and then queues the next, so that a large one does not keep the others waiting,
and a restart costs little. How far an import is, is counted in the transaction that adds what is in a file: wherever a
process is killed, the next turn goes on with the file after the last that was counted, and nothing comes twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from services.activities.archives.plans import Item, Plan, plan_of
from services.activities.archives.takeout import TakenActivity, by_hand_in
from services.activities.archives.zips import Limits
from services.activities.domain.activity import Activity
from services.activities.domain.corrections import by_hand
from services.activities.domain.imports import MOST_REASONS, Failure, Outcome, State
from services.activities.domain.labels import GearSaid, Labels, labelled
from services.activities.domain.merging import Words
from services.activities.domain.problems import AnotherKindOfFile, DuplicateActivity, NotAnActivity, NotAnArchive
from services.activities.parsers.pool import ParserPool
from services.activities.store.activities import ActivityStore, Arrived
from services.activities.store.archives import Archives
from services.activities.store.arrivals import NewActivity
from services.activities.store.imports import Held, ImportStore, Superseded
from services.activities.store.originals import Original, Originals
from services.activities.store.strava_runs import StravaRuns
from services.activities.usecases.follow_import import stream_of
from services.activities.usecases.import_file import new_activities, of_a_file
from services.activities.usecases.in_their_sports import InTheirSports
from services.activities.usecases.keep_zones import KeepZones
from services.activities.usecases.name_gear import NameGear
from services.chassis.bus.event import Job
from services.chassis.live import EventLog
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import DatabaseError, Session
from services.chassis.problems import Conflict, Invalid, NotFound, Unavailable

TURN_S = 120.0
TELL_EACH_S = 0.5
LOOK_AFTER_EACH_S = 300.0
FORGOTTEN_AFTER = timedelta(minutes=30)
OUR_FAULT = "Something went wrong on our side"
_AGAIN = (Unavailable, Conflict, DatabaseError, TimeoutError)  # what another turn may not meet


@dataclass(slots=True)
class _Turn:
    """One turn: whose, what of, when followers were last told, and the gear that was looked up, by its name."""

    held: Held
    plan: Plan
    at: int
    listed: int
    told_s: float = 0.0
    gear: dict[str, str | None] = field(default_factory=dict)

    @property
    def words(self) -> Words:
        """What becomes of titles and the like, where a file is of an activity that is here."""
        return "fill" if self.plan.kind == "strava" else "keep"


@dataclass(frozen=True, slots=True)
class _Counted:
    """The progress of an import, written along with what is added."""

    imports: ImportStore
    held: Held
    at: int
    now: datetime

    async def keep(self, session: Session | None, added: tuple[Activity, ...]) -> None:
        """Count the file: a duplicate, where what was here already has changed by it."""
        outcome: Outcome = "added" if added else "duplicates"
        await self.imports.count(self.held, self.at, outcome, self.now, session=session)


@dataclass(frozen=True, slots=True)
class RunImports:
    """Work on archives."""

    archives: Archives
    imports: ImportStore
    parsers: ParserPool
    originals: Originals
    store: ActivityStore
    in_their_sports: InTheirSports
    strava_runs: StravaRuns
    name_gear: NameGear
    zones: KeepZones
    live: EventLog
    limits: Limits
    new_id: Callable[[], str]
    clock: Callable[[], datetime]
    log: Logger
    metrics: Metrics
    turn_s: float = TURN_S
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _working: set[str] = field(default_factory=set)
    _idle: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, job: Job) -> None:
        """Work on the import that a job names, for a turn."""
        held = await self.imports.hold(job.data["import"], self.new_id(), self.clock())
        if held is None:
            return
        self._working.add(held.token)
        try:
            await self._take_turn(held)
        except Superseded:  # stopped, removed, or taken over: whoever did that looks after it
            return
        finally:
            self._working.discard(held.token)
            async with self._idle:
                self._idle.notify_all()

    async def stop(self) -> None:
        """Begin no other file, and return when those that are worked on are done with."""
        self.stopping.set()
        async with self._idle:
            await self._idle.wait_for(lambda: not self._working)

    async def look_after(self) -> None:
        """Sweep archives that belong to nothing, and wake imports whose turn got lost, until cancelled."""
        while True:
            try:
                swept = await self.archives.sweep()
                forgotten = await self.imports.forgotten(self.clock() - FORGOTTEN_AFTER)
                for import_id, owner in forgotten:
                    await self.imports.wake(import_id, owner, self.clock())
                if swept or forgotten:
                    self.log.info("import.looked_after", archives=swept, imports=len(forgotten))
            except (DatabaseError, Unavailable) as error:
                self.log.warning("activity.sweep_failed", reason=type(error).__name__)
            await asyncio.sleep(LOOK_AFTER_EACH_S)

    async def _take_turn(self, held: Held) -> None:
        try:
            file = await self.archives.open(held.archive)
            plan = await asyncio.to_thread(plan_of, file, self.limits)
        except (NotAnArchive, NotFound) as problem:  # it was sound when it came
            await self._end(held, "failed", problem.detail)
            return
        try:
            if await self._go_on(_Turn(held, plan, held.done, held.listed)):
                await self._end(held, "done")
            else:
                await self.imports.hand_on(held)
        finally:
            await asyncio.to_thread(plan.close)

    async def _go_on(self, turn: _Turn) -> bool:
        """Import file after file; whether that was all. Raises `Superseded`."""
        until = time.monotonic() + self.turn_s
        if turn.at == 0:
            await self._restore_zones(turn)
            await self.strava_runs.restore_removed(turn.held.owner, turn.plan.removed)
            for said in turn.plan.gear.values():
                await self._gear_id(turn, said)
        for item in islice(turn.plan.items, turn.at, None):
            if time.monotonic() > until or self.stopping.is_set():
                return False
            outcome = await self._import(turn, item)
            turn.at += 1
            self.metrics.incr("activities.import_files", outcome=outcome)
            await self._tell(turn)
        return True

    async def _restore_zones(self, turn: _Turn) -> None:
        """First of all: what is public must not be seen without them."""
        with contextlib.suppress(Invalid):  # there are as many as one can have
            await self.zones.restore(turn.held.owner, turn.plan.zones)

    async def _import(self, turn: _Turn, item: Item) -> Outcome:
        """Import one file, and count it. Raises `Superseded`, and what another turn may not meet."""
        reason = ""
        try:
            arrived = await self._add(turn, item)
            if arrived is not None:
                return "added" if arrived.added else "duplicates"
            outcome: Outcome = "skipped"
        except DuplicateActivity:
            outcome = "duplicates"
        except (Superseded, *_AGAIN):
            raise
        except (NotAnActivity, Invalid) as problem:
            of_garmin = turn.plan.kind == "garmin" and isinstance(problem, AnotherKindOfFile)
            outcome, reason = "skipped" if of_garmin else "failed", problem.detail
        except Exception as error:  # the boundary: one file must not hold up all that come after it
            self.log.exception("import.file_broke", import_id=turn.held.id, exc_info=error)
            outcome, reason = "failed", OUR_FAULT
        await self._count(turn, item, outcome, reason)
        return outcome

    async def _add(self, turn: _Turn, item: Item) -> Arrived | None:
        """Add what is in a file, which counts it, and merge what is here; None where nothing in it is wanted."""
        if item.reason is not None:
            raise NotAnActivity(item.reason)
        new, place = await self._read(turn, item)
        if not new:
            return None
        counted = _Counted(self.imports, turn.held, turn.at, self.clock())
        return await self.store.merge(turn.held.owner, new, place, counted, turn.words)

    async def _read(self, turn: _Turn, item: Item) -> tuple[Sequence[NewActivity], Original | None]:
        """What is to be added of a file, and where the file is. Raises `NotAnActivity`, `DuplicateActivity`."""
        owner = turn.held.owner
        content, taken = await asyncio.to_thread(turn.plan.read, item)
        if item.by_hand:
            return [await self._by_hand(turn, one) for one in taken], None
        parsed = await self.parsers.parse_in_background(content)
        if turn.plan.kind != "takeout":
            of_a_file(parsed)
        found = new_activities(owner, item.name, parsed, self.new_id, self.clock())
        said = [await self._said(turn, item, taken, one, len(found)) for one in found]
        new: Sequence[NewActivity] = [one for one in said if one]
        if not new:
            return [], None
        new = await self.in_their_sports(owner, content, new, turn.words)
        return new, await self.originals.put_away(owner, parsed.sha256, parsed.original)

    async def _said(
        self, turn: _Turn, item: Item, taken: Sequence[TakenActivity], new: NewActivity, sessions: int
    ) -> NewActivity | None:
        """A new activity with what was said about it; None where its runner had removed it."""
        activity = new.activity
        labels = turn.plan.labels(item, taken, activity.session, sessions, activity.started_at)
        return None if labels.left_out else await self._with(turn, new, labels)

    async def _by_hand(self, turn: _Turn, taken: TakenActivity) -> NewActivity:
        activity = by_hand(by_hand_in(taken), owner=turn.held.owner, activity_id=self.new_id(), now=self.clock())
        labels = turn.plan.labels_of(taken)
        return await self._with(turn, NewActivity(activity), labels)

    async def _with(self, turn: _Turn, new: NewActivity, labels: Labels) -> NewActivity:
        """A new activity with labels. An archive brings its own gear: today's is not what old runs were done in."""
        gear_id = await self._gear_id(turn, labels.gear) if labels.gear else None
        activity = labelled(new.activity, labels, gear_id)
        return msgspec.structs.replace(new, activity=activity, takes_default_gear=False)

    async def _gear_id(self, turn: _Turn, said: GearSaid) -> str | None:
        """The runner's gear of this name, added where there is none; None where there can't be more."""
        if said.name not in turn.gear:
            turn.gear[said.name] = await self.name_gear(turn.held.owner, said)
        return turn.gear[said.name]

    async def _count(self, turn: _Turn, item: Item, outcome: Outcome, reason: str) -> None:
        """Count a file of which nothing was added, with the reason where it failed, and few have."""
        failure = None
        if outcome == "failed":
            turn.listed += 1
            failure = Failure(item.name, reason) if turn.listed <= MOST_REASONS else None
        await self.imports.count(turn.held, turn.at, outcome, self.clock(), failure=failure)

    async def _tell(self, turn: _Turn) -> None:
        """Wake whoever follows, now and then."""
        if time.monotonic() - turn.told_s > TELL_EACH_S:
            turn.told_s = time.monotonic()
            await self.live.wake(stream_of(turn.held.id))

    async def _end(self, held: Held, state: State, reason: str | None = None) -> None:
        await self.imports.end(held, state, self.clock(), reason)
        ended = await self.imports.read(held.owner, held.id)
        self.metrics.incr("activities.imports", state=state)
        self.log.info(
            "import.ended",
            import_id=held.id,
            kind=ended.kind,
            state=state,
            added=ended.added,
            duplicates=ended.duplicates,
            skipped=ended.skipped,
            failed=ended.failures,
            s=round((ended.updated_at - ended.created_at).total_seconds()),
        )
        await self.live.wake(stream_of(held.id))
