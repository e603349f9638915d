"""Gear: kept by itself, and in step with activities in the transactions that change those."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from datetime import datetime

import msgspec

from services.activities.domain.activity import Activity
from services.activities.domain.gear import MOST, Gear, Wearer, Worn, default_of, worn
from services.activities.store.guard import Guard
from services.activities.store.shape import ACTIVITIES, GEAR
from services.chassis.idempotency import Once
from services.chassis.mongo import Database, Document, Session, UpdateOne
from services.chassis.problems import Invalid, NotFound, Stale


class GearStore:
    """The gear of all runners. Whoever changes it, or what it is worn by, writes the runner's guard."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gear = database.collection(GEAR)
        self._activities = database.collection(ACTIVITIES)
        self._guard = Guard(database)

    async def all_of(self, owner: str, session: Session | None = None) -> list[Gear]:
        """All gear of a runner: what is in use first, by name."""
        found = await self._gear.find({"owner": owner}, session=session).to_list(None)
        return sorted(map(_gear_of, found), key=lambda gear: (gear.retired, gear.name.casefold(), gear.id))

    async def read(self, owner: str, gear_id: str, session: Session | None = None) -> Gear:
        """One piece. Raises `NotFound`."""
        document: Document | None = await self._gear.find_one({"_id": gear_id}, session=session)
        if document is None or document["owner"] != owner:
            raise NotFound
        return _gear_of(document)

    async def add(self, gear: Gear, once: Once[Gear]) -> Gear:
        """Add a piece. Raises `Invalid` where the runner has too much."""

        async def body(session: Session) -> Gear:
            await self._guard(session, gear.owner)
            shelf = await self.all_of(gear.owner, session)
            _check_room(shelf)
            await self._give_up_defaults(session, shelf, gear)
            await self._gear.insert_one(_document_of(gear), session=session)
            await once.keep(session, gear)
            return gear

        return await self._database.transact(body)

    async def named(self, wanted: Gear) -> str:
        """The id of a runner's gear of this name, which is added where there is none; it takes no sport from another."""

        async def body(session: Session) -> str:
            await self._guard(session, wanted.owner)
            shelf = await self.all_of(wanted.owner, session)
            if (found := _named(shelf, wanted.name)) is not None:
                return found
            _check_room(shelf)
            taken = {sport for gear in shelf for sport in gear.default_for}
            free = tuple(sport for sport in wanted.default_for if sport not in taken)
            await self._gear.insert_one(
                _document_of(msgspec.structs.replace(wanted, default_for=free)), session=session
            )
            return wanted.id

        found = _named(await self.all_of(wanted.owner), wanted.name)
        return found if found is not None else await self._database.transact(body)

    async def change(self, owner: str, gear_id: str, changed: Callable[[Gear], Gear], expected: int | None) -> Gear:
        """Change a piece by a function of it, which may run more than once. Raises `NotFound`, `Stale`."""

        async def body(session: Session) -> Gear:
            await self._guard(session, owner)
            before = await self.read(owner, gear_id, session)
            if expected not in {None, before.version}:
                raise Stale
            after = changed(before)
            if after != before:
                await self._give_up_defaults(session, await self.all_of(owner, session), after)
                await self._gear.replace_one({"_id": gear_id}, _document_of(after), session=session)
            return after

        return await self._database.transact(body)

    async def remove(self, owner: str, gear_id: str, expected: int | None, now: datetime) -> None:
        """Remove a piece; activities have none then. Raises `NotFound`, `Stale`."""

        async def body(session: Session) -> None:
            await self._guard(session, owner)
            gear = await self.read(owner, gear_id, session)
            if expected not in {None, gear.version}:
                raise Stale
            await self._gear.delete_one({"_id": gear_id}, session=session)
            # said by the runner: so that nothing brings it back that still tells of it
            without = {
                "$set": {"gear_id": None, "said_by.gear_id": "runner", "updated_at": now},
                "$inc": {"version": 1},
            }
            await self._activities.update_many({"gear_id": gear_id}, without, session=session)

        await self._database.transact(body)

    async def remove_all(self, owner: str) -> None:
        """Remove all gear of a runner."""
        await self._gear.delete_many({"owner": owner})

    # -- in the transactions of activities

    async def given_defaults(
        self, session: Session, owner: str, new: Sequence[Activity], takers: Container[str]
    ) -> tuple[Activity, ...]:
        """New activities, each with the gear it was given, or else, of these ids, the one for its sport. Raises `Invalid`."""
        shelf = await self.all_of(owner, session)
        known = {gear.id for gear in shelf}
        for activity in new:
            if activity.gear_id is not None and activity.gear_id not in known:
                raise Invalid.field("gear_id", "You have no such gear")
        return tuple(
            activity
            if activity.gear_id is not None or activity.id not in takers
            else msgspec.structs.replace(activity, gear_id=default_of(shelf, activity.sport))
            for activity in new
        )

    async def wear(
        self, session: Session, owner: str, removed: Sequence[Activity] = (), added: Sequence[Activity] = ()
    ) -> None:
        """Count what a change of activities adds to gear. Raises `Invalid` where it is not the runner's."""
        for gear_id, change in worn(removed, added).items():
            counted = await self._gear.update_one(
                {"_id": gear_id, "owner": owner},
                {"$inc": {**msgspec.structs.asdict(change), "version": 1}},
                session=session,
            )
            if counted.matched_count == 0 and change.activities > 0:
                raise Invalid.field("gear_id", "You have no such gear")

    async def count_anew(self, session: Session, owner: str, activities: Sequence[Wearer]) -> None:
        """Set what all gear of a runner has been worn by, from all activities."""
        totals = worn((), activities)
        for gear in await self.all_of(owner, session):
            amounts = msgspec.structs.asdict(totals.get(gear.id, Worn()))
            await self._gear.update_one({"_id": gear.id}, {"$set": amounts}, session=session)

    async def _give_up_defaults(self, session: Session, shelf: Sequence[Gear], taker: Gear) -> None:
        """One piece is the default of a sport: the others give it up."""
        updates = [
            UpdateOne(
                {"_id": gear.id},
                {
                    "$set": {"default_for": [sport for sport in gear.default_for if sport not in taker.default_for]},
                    "$inc": {"version": 1},
                },
            )
            for gear in shelf
            if gear.id != taker.id and set(gear.default_for) & set(taker.default_for)
        ]
        if updates:
            await self._gear.bulk_write(updates, ordered=False, session=session)


def _named(shelf: Sequence[Gear], name: str) -> str | None:
    return next((gear.id for gear in shelf if gear.name.casefold() == name.casefold()), None)


def _check_room(shelf: Sequence[Gear]) -> None:
    if len(shelf) >= MOST:
        raise Invalid(f"One has at most {MOST} pieces of gear: remove some first")


def _document_of(gear: Gear) -> Document:
    document: Document = msgspec.to_builtins(gear, builtin_types=(datetime,))
    document["_id"] = document.pop("id")
    return document


def _gear_of(document: Document) -> Gear:
    document["id"] = document.pop("_id")
    return msgspec.convert(document, Gear)
