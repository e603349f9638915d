"""Activities: adding, correcting and removing them, each with all that follows from it, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from services.activities import events
from services.activities.domain.activity import Activity, read_anew
from services.activities.domain.load import load_of
from services.activities.domain.merging import Words
from services.activities.domain.physiology import Physiology
from services.activities.domain.problems import DuplicateActivity
from services.activities.parsers.parsed import ParsedActivity, Reading
from services.activities.store.arrivals import Added, Along, Arrival, Arrivals, NewActivity
from services.activities.store.documents import (
    HELD_FIELDS,
    Held,
    document_of,
    held_of,
    streams_of,
)
from services.activities.store.files import Place
from services.activities.store.gear import GearStore
from services.activities.store.guard import Guard
from services.activities.store.originals import Original, Originals
from services.activities.store.reading import ActivityReader
from services.activities.store.shape import REBUILDS
from services.activities.store.stamps import Stamps
from services.activities.store.standing import Anew, Standing
from services.activities.store.strava_runs import StravaRuns
from services.activities.store.turns import Turns
from services.activities.store.twins import Meeting, Twins
from services.chassis.bus.outbox import Outbox
from services.chassis.mongo import Database, Document, DuplicateKeyError, Session
from services.chassis.problems import Conflict, Forbidden, NotFound, Stale
from services.chassis.tombstones import Tombstones

T = TypeVar("T")

ATTEMPTS = 3
WEIGHED_AT_ONCE = 100


class Arrived(Struct, frozen=True):
    """What became of activities that came: those that were new, and those that were here, as they are with what came."""

    added: tuple[Activity, ...] = ()
    merged: tuple[Activity, ...] = ()


class ActivityStore(ActivityReader):
    """The activities of all runners. Nothing is found or changed without saying whose it is."""

    def __init__(
        self,
        database: Database,
        originals: Originals,
        gear: GearStore,
        outbox: Outbox,
        tombstones: Tombstones | None = None,
    ) -> None:
        """Without `tombstones` nothing may be added for somebody who may have been deleted."""
        super().__init__(database, originals)
        self._database = database
        self._tombstones = tombstones
        self._guard = Guard(database)
        self._rebuilds = database.collection(REBUILDS)
        self._strava_runs = StravaRuns(database)
        self._twins = Twins(database)
        self._gear = gear
        self._standing = Standing(database, gear)
        self._outbox = outbox
        self._stamps = Stamps(database)
        self._turns = Turns()
        self._arrivals = Arrivals(self._turns, self._add_together)

    async def add(
        self,
        owner: str,
        new: Sequence[NewActivity],
        original: Original | None,
        along: Along,
    ) -> tuple[Activity, ...]:
        """Add those that the runner does not have yet, and return them.

        Raises `DuplicateActivity` where the runner has all of them, and `Forbidden` where the runner was deleted.
        """
        return await self._arrivals.add(owner, Arrival(new, original, along))

    async def merge(
        self,
        owner: str,
        new: Sequence[NewActivity],
        original: Original | None,
        along: Along,
        words: Words,
    ) -> Arrived:
        """Add those that the runner does not have yet, and make one of each other and what came (`domain/merging.py`).

        Raises `DuplicateActivity` where nothing is different then, and `Conflict` where what came was read as of another
        sport than it is to be.
        """
        place = original.place if original else None

        async def body(session: Session) -> Arrived:
            await self._begin(session, owner)
            if words == "refresh":
                for strava_id in filter(None, [one.activity.strava_id for one in new]):
                    await self._strava_runs.refuse_removed(owner, strava_id, session)
            twins = await self._twins_of(owner, new, session)
            fresh = [(one, place) for one in new if one.activity.id not in twins]
            again = {twins[one.activity.id]: one for one in new if one.activity.id in twins}
            different = await self._merge(session, owner, again, place, words)
            if not fresh and not different:
                raise DuplicateActivity.of(twins[new[0].activity.id])
            added = await self._insert(session, owner, fresh) if fresh else ()
            if original is not None and (fresh or any(one.original == place for one in different)):
                await self._originals.claim(session, owner, original)
            await along.keep(session, added)
            await self._outbox.add(session, *map(events.imported, added))
            return Arrived(added, tuple(one.activity for one in different))

        async with self._turns.of(owner):
            arrived = await self._unless_overtaken(body)
        if arrived.merged:
            await self._find_lost_records(owner)
        return arrived

    async def meetings(self, owner: str, new: Sequence[NewActivity], words: Words) -> dict[str, Meeting]:
        """What would become of those that the runner has, by the id of the new one, as things are.

        Raises `DuplicateActivity` where nothing at all would be different.
        """
        twins = await self._twins_of(owner, new)
        meetings = {}
        for one in new:
            with suppress(KeyError, NotFound):  # it is new, or was removed in the meantime
                existing = await self.read(owner, twins[one.activity.id])
                meetings[one.activity.id] = await self._twins.meeting(
                    existing, one.activity, words, sampled=one.is_sampled
                )
        if len(meetings) == len(new) and not any(one.is_different for one in meetings.values()):
            raise DuplicateActivity.of(twins[new[0].activity.id])
        return meetings

    async def _add_together(self, owner: str, arrivals: Sequence[Arrival]) -> list[Added | DuplicateActivity]:
        """Add what arrived, but for what the runner has. Raises `DuplicateActivity` where that is all of it."""

        async def body(session: Session) -> list[Added | DuplicateActivity]:
            await self._begin(session, owner)
            fresh: list[tuple[NewActivity, Place | None]] = []
            sifted: list[list[NewActivity] | DuplicateActivity] = []
            for arrival in arrivals:
                coming = [one.activity for one in arrival.new]
                twins = await self._twins.of(owner, coming, session, beside=[one.activity for one, _ in fresh])
                new = [one for one in arrival.new if one.activity.id not in twins]
                sifted.append(new or DuplicateActivity.of(twins[arrival.new[0].activity.id]))
                fresh += [(one, arrival.place) for one in new]
            if not fresh and isinstance(sifted[0], DuplicateActivity):
                raise sifted[0]
            added = {one.id: one for one in await self._insert(session, owner, fresh)}
            wanted = {place for _, place in fresh}
            files = [one.original for one in arrivals if one.original is not None and one.original.place in wanted]
            await self._originals.claim(session, owner, *files)
            outcomes: list[Added | DuplicateActivity] = []
            for arrival, new_or_none in zip(arrivals, sifted, strict=True):
                if isinstance(new_or_none, DuplicateActivity):
                    outcomes.append(new_or_none)
                    continue
                outcome = tuple(added[one.activity.id] for one in new_or_none)
                await arrival.along.keep(session, outcome)
                outcomes.append(outcome)
            await self._outbox.add(session, *map(events.imported, added.values()))
            return outcomes

        return await self._unless_overtaken(body)

    async def _begin(self, session: Session, owner: str) -> None:
        """Begin to add something. Raises `Forbidden` where this runner was deleted, perhaps a moment ago."""
        await self._guard(session, owner)  # first: where another process is at it, nothing else is done for nothing
        if self._tombstones is not None and await self._tombstones.holds(owner, session):
            raise Forbidden("This account is being deleted")

    async def _unless_overtaken(self, body: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        for _ in range(ATTEMPTS):
            # another process may add the same bytes, or this runner's first activity, at the same moment
            with suppress(DuplicateKeyError):
                return await self._database.transact(body)
        raise Conflict("Another change was made at the same moment: try again")

    async def refuse_duplicates(self, owner: str, new: Sequence[NewActivity]) -> None:
        """Raise `DuplicateActivity` where the runner has all of these already."""
        twins = await self._twins_of(owner, new)
        if len(twins) == len(new):
            raise DuplicateActivity.of(twins[new[0].activity.id])

    async def correct(
        self,
        owner: str,
        activity_id: str,
        corrected: Callable[[Activity], Activity],
        expected: int | None,
        reading: Reading | None = None,
    ) -> Activity:
        """Change an activity by a function of it, which may run more than once, and return what it is then.

        With `reading`, what is in its file as it was read now, all numbers are those; where it was read as another sport
        than the activity is by then, or of another file, they are left alone. Raises `NotFound`, and `Stale` where it is not
        of the expected version.
        """

        async def body(session: Session) -> Activity:
            held = await self._current(session, owner, activity_id, expected)
            await self._guard(session, owner)
            after = corrected(held.activity)
            if reading is not None and reading.is_of(after):
                after = read_anew(after, reading.activity.summary)
                anew = NewActivity(after, reading.activity).held(held.original)
                return (await self._change(session, held, anew, reading.activity)).activity
            return (await self._change(session, held, _with(held, after))).activity

        async with self._turns.of(owner):
            after = await self._database.transact(body)
        await self._find_lost_records(owner)
        return after

    async def read_anew(self, owner: str, activity_id: str, reading: Reading) -> bool:
        """Keep what is in an activity's file as it was read now; returns whether that is different. Raises `NotFound`."""
        before = await self.read(owner, activity_id)
        return await self.correct(owner, activity_id, lambda activity: activity, None, reading) != before

    async def remove(self, owner: str, activity_id: str, expected: int | None) -> None:
        """Remove an activity and all that came with it. Raises `NotFound`, `Stale`."""

        async def body(session: Session) -> None:
            held = await self._current(session, owner, activity_id, expected)
            await self._guard(session, owner)
            await self._activities.delete_one({"_id": activity_id}, session=session)
            await self._streams.delete_one({"_id": activity_id}, session=session)
            await self._strava_runs.let_go(session, activity_id)
            await self._standing.follow(session, owner, removed=[held])
            if held.original is not None:
                await self._originals.let_go(session, owner, held.original)
            await self._outbox.add(session, events.deleted(held.activity))

        async with self._turns.of(owner):
            await self._database.transact(body)
        await self._find_lost_records(owner)

    async def learn(self, owner: str, physiology: Physiology) -> None:
        """Keep what a runner's profile says, and weigh all activities by it, some at a time."""
        told = msgspec.to_builtins(physiology)
        await self._owners.update_one({"_id": owner}, {"$set": {"physiology": told}}, upsert=True)
        await self.weigh_all(owner)

    async def weigh_all(self, owner: str) -> None:
        """Weigh all activities of a runner by what the profile says, some at a time."""
        ids = [document["_id"] async for document in self._everything.of(owner, {"_id": 1})]
        for begin in range(0, len(ids), WEIGHED_AT_ONCE):
            await self._weigh(owner, ids[begin : begin + WEIGHED_AT_ONCE])

    async def settle(self, owner: str) -> int:
        """Make all that follows from a runner's activities anew, by the functions that change it, where it is different.

        Returns how many documents were. It looks at everything before it begins to write; what another process changes
        in the meantime makes it look again. Raises `Conflict` where that never ends.
        """
        async with self._turns.of(owner):
            for _ in range(ATTEMPTS):
                seen = await self._stamps(owner)
                anew = await self._standing.anew(owner)

                async def body(session: Session, seen: str | None = seen, anew: Anew = anew) -> bool:
                    if await self._stamps.within(session, owner) != seen:
                        return False
                    await self._guard(session, owner)
                    await self._standing.make_anew(session, owner, anew)
                    return True

                if await self._database.transact(body):
                    return anew.differences
        raise Conflict("Other changes are being made all the time: try again")

    async def remove_all(self, owner: str) -> None:
        """Remove everything of a runner."""
        async with self._turns.of(owner):
            for collection in (self._streams, self._activities):
                await collection.delete_many({"owner": owner})
            await self._standing.remove_all(owner)
            await self._originals.remove_all(owner)
            await self._strava_runs.remove_all(owner)
            await self._rebuilds.delete_many({"owner": owner})  # one that is at this runner begins at the beginning
            await self._owners.delete_one({"_id": owner})

    async def _current(self, session: Session, owner: str, activity_id: str, expected: int | None) -> Held:
        held = held_of(await self._document(owner, activity_id, HELD_FIELDS, session))
        if expected not in {None, held.activity.version}:
            raise Stale
        return held

    async def _find_lost_records(self, owner: str) -> None:
        """After the change that lost one; where we are interrupted, the next change does it."""
        if await self._standing.has_lost_a_record(owner):
            await self.settle(owner)

    async def _merge(
        self,
        session: Session,
        owner: str,
        again: Mapping[str, NewActivity],
        original: Place | None,
        words: Words,
    ) -> list[Held]:
        """Change what the runner has, by its id, by what has come again; returns those that are different then."""
        different = []
        for activity_id, one in again.items():
            held = await self._current(session, owner, activity_id, None)
            meeting = await self._twins.meeting(
                held.activity, one.activity, words, sampled=one.is_sampled, session=session
            )
            after, parsed = _with(held, meeting.merged.activity), None
            if meeting.merged.takes_data and one.parsed is not None:
                if one.parsed.summary.sport != after.activity.sport:
                    raise Conflict("Its sport was changed at the same moment: try again")
                parsed = one.parsed
                after = NewActivity(read_anew(after.activity, parsed.summary), parsed).held(original)
            if meeting.is_news:
                await self._strava_runs.link(session, owner, one.activity.strava_id, activity_id)
            changed = await self._change(session, held, after, parsed)
            if held.original is not None and held.original != changed.original:
                await self._originals.let_go(session, owner, held.original)
            if meeting.is_different:
                different.append(changed)
        return different

    async def _change(self, session: Session, before: Held, after: Held, parsed: ParsedActivity | None = None) -> Held:
        """Keep an activity as it is after a change, and all that follows; returns it with its load and version.

        With `parsed`, so is what was measured along it. Where nothing is different nothing is written.
        """
        owner = before.activity.owner
        changed = weighed(after, await self._physiology(owner, session))
        along = parsed is not None and await self._replace_streams(session, after.activity, parsed)
        if changed == before and not along:
            return before
        changed = _with(changed, msgspec.structs.replace(changed.activity, version=before.activity.version + 1))
        await self._replace(session, changed)
        await self._standing.follow(session, owner, [before], [changed])
        await self._outbox.add(session, events.changed(changed.activity))
        return changed

    async def _replace(self, session: Session, held: Held) -> None:
        document = document_of(held)
        gone = {name: "" for name in ("heart_rates", "efforts") if name not in document}
        update = {"$set": document, **({"$unset": gone} if gone else {})}
        await self._activities.update_one({"_id": document.pop("_id")}, update, session=session)

    async def _replace_streams(self, session: Session, activity: Activity, parsed: ParsedActivity | None) -> bool:
        """Keep what was measured along an activity, and what was made of it; returns whether it is different."""
        before: Document | None = await self._streams.find_one({"_id": activity.id}, session=session)
        after = streams_of(activity, parsed) if parsed and parsed.streams else None
        if msgspec.msgpack.encode(before) == msgspec.msgpack.encode(after):
            return False
        if after is None:
            await self._streams.delete_one({"_id": activity.id}, session=session)
        else:
            await self._streams.replace_one({"_id": activity.id}, after, upsert=True, session=session)
        return True

    async def _weigh(self, owner: str, ids: Sequence[str]) -> None:
        """Weigh these activities by what the profile says now. Nobody is told: a load is not in what is told."""

        async def body(session: Session) -> None:
            await self._guard(session, owner)
            physiology = await self._physiology(owner, session)
            before, after = [], []
            for activity_id in ids:
                document = await self._activities.find_one({"_id": activity_id}, HELD_FIELDS, session=session)
                if document is None:  # removed in the meantime
                    continue
                held = held_of(document)
                again = weighed(held, physiology)
                if again != held:
                    version = held.activity.version + 1
                    again = _with(again, msgspec.structs.replace(again.activity, version=version))
                    await self._replace(session, again)
                    before.append(held)
                    after.append(again)
            if after:
                await self._standing.follow(session, owner, before, after)

        async with self._turns.of(owner):
            await self._database.transact(body)

    async def _twins_of(self, owner: str, new: Sequence[NewActivity], session: Session | None = None) -> dict[str, str]:
        return await self._twins.of(owner, [one.activity for one in new], session)

    async def _insert(self, session: Session, owner: str, fresh: Sequence[tuple[NewActivity, Place | None]]) -> Added:
        """Insert these, each with the place of its file, and return them as they are then, with the gear that they get."""
        takers = {one.activity.id for one, _ in fresh if one.takes_default_gear}
        geared = await self._gear.given_defaults(session, owner, [one.activity for one, _ in fresh], takers)
        physiology = await self._physiology(owner, session)
        held = [
            weighed(_with(one.held(place), activity), physiology)
            for (one, place), activity in zip(fresh, geared, strict=True)
        ]
        await self._activities.insert_many(list(map(document_of, held)), session=session)
        streams = [streams_of(one.activity, one.parsed) for one, _ in fresh if one.parsed and one.parsed.streams]
        if streams:
            await self._streams.insert_many(streams, session=session)
        for one in geared:
            await self._strava_runs.link(session, owner, one.strava_id, one.id)
        await self._standing.follow(session, owner, added=held)
        return tuple(one.activity for one in held)


def weighed(held: Held, physiology: Physiology) -> Held:
    """The activity with the load that it has by this profile."""
    load, load_from = load_of(held.activity, held.rates, physiology)
    return _with(held, msgspec.structs.replace(held.activity, load=load, load_from=load_from))


def _with(held: Held, activity: Activity) -> Held:
    return msgspec.structs.replace(held, activity=activity)
