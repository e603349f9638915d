"""What is shared with everybody who has the link, and the places that they don't see."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from services.activities.domain.activity import Activity
from services.activities.domain.privacy import MOST, PrivacyZone
from services.activities.store.guard import Guard
from services.activities.store.shape import SHARES, ZONES
from services.chassis.idempotency import Once
from services.chassis.mongo import Database, Document, Session
from services.chassis.problems import Invalid, NotFound

_SECRET_BYTES = 18


class Share(Struct, frozen=True):
    """The link to a public activity: a secret that nobody can guess, and whose activity it leads to."""

    secret: str
    owner: str
    activity_id: str


class Shares:
    """The links to all public activities. There is one as long as an activity is public; the next time it is another."""

    def __init__(self, database: Database) -> None:
        self._shares = database.collection(SHARES)

    async def follow(
        self, session: Session, owner: str, removed: Sequence[Activity], added: Sequence[Activity]
    ) -> None:
        """Make and remove links with a change of activities, in its transaction."""
        before, after = _public(removed), _public(added)
        if gone := before - after:
            await self._shares.delete_many({"activity": {"$in": sorted(gone)}}, session=session)
        if come := after - before:
            links = [
                {"_id": secrets.token_urlsafe(_SECRET_BYTES), "owner": owner, "activity": one} for one in sorted(come)
            ]
            await self._shares.insert_many(links, session=session)

    async def find(self, secret: str) -> Share:
        """Where a link leads. Raises `NotFound`."""
        return _share_of(await self._shares.find_one({"_id": secret}))

    async def of(self, owner: str, activity_id: str) -> Share:
        """The link to a runner's activity. Raises `NotFound` where it is not public."""
        share = _share_of(await self._shares.find_one({"activity": activity_id}))
        if share.owner != owner:
            raise NotFound
        return share

    async def remove_all(self, owner: str) -> None:
        """Remove every link to a runner's activities."""
        await self._shares.delete_many({"owner": owner})


class ZoneStore:
    """The privacy zones of all runners."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._zones = database.collection(ZONES)
        self._guard = Guard(database)

    async def all_of(self, owner: str, session: Session | None = None) -> list[PrivacyZone]:
        """All zones of a runner, by name."""
        found = await self._zones.find({"owner": owner}, session=session).to_list(None)
        return sorted(map(_zone_of, found), key=lambda zone: (zone.name.casefold(), zone.id))

    async def add(self, zone: PrivacyZone, once: Once[PrivacyZone]) -> PrivacyZone:
        """Add a zone. Raises `Invalid` where the runner has too many."""

        async def body(session: Session) -> PrivacyZone:
            await self._guard(session, zone.owner)
            if len(await self.all_of(zone.owner, session)) >= MOST:
                raise Invalid(f"One has at most {MOST} privacy zones: remove some first")
            await self._zones.insert_one(_document_of(zone), session=session)
            await once.keep(session, zone)
            return zone

        return await self._database.transact(body)

    async def remove(self, owner: str, zone_id: str) -> None:
        """Remove a zone. Raises `NotFound`."""
        removed = await self._zones.delete_one({"_id": zone_id, "owner": owner})
        if removed.deleted_count == 0:
            raise NotFound

    async def remove_all(self, owner: str) -> None:
        """Remove all zones of a runner."""
        await self._zones.delete_many({"owner": owner})


def _public(activities: Sequence[Activity]) -> set[str]:
    return {activity.id for activity in activities if activity.visibility == "public"}


def _share_of(document: Document | None) -> Share:
    if document is None:
        raise NotFound
    return Share(document["_id"], document["owner"], document["activity"])


def _document_of(zone: PrivacyZone) -> Document:
    document: Document = msgspec.to_builtins(zone, builtin_types=(datetime,))
    document["_id"] = document.pop("id")
    return document


def _zone_of(document: Document) -> PrivacyZone:
    document["id"] = document.pop("_id")
    return msgspec.convert(document, PrivacyZone)
