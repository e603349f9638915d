"""How far a rebuild has come, so that one that was interrupted goes on."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from services.activities.domain.sports import Sport
from services.activities.store import files
from services.activities.store.everything import Everything
from services.activities.store.shape import OWNERS, REBUILDS
from services.chassis.mongo import Database, Document

_THE_ONE = "rebuild"


class Place(Struct, frozen=True):
    """Where a rebuild is: after this file of this runner. What was done until there is counted."""

    owner: str = ""
    original: str = ""
    done: int = 0
    changed: int = 0
    failed: int = 0


class Files(Struct, frozen=True):
    """A file of a runner, its digest, and the activities of it: the sport of each by its id, and its session."""

    place: files.Place
    sha256: str
    activities: tuple[tuple[str, int, Sport], ...]


class Rebuilds:
    """What there is to read anew, and how far that is."""

    def __init__(self, database: Database) -> None:
        self._everything = Everything(database)
        self._owners = database.collection(OWNERS)
        self._places = database.collection(REBUILDS)

    async def owners(self) -> list[tuple[str, int]]:
        """Everybody who has activities, and how many, in the order of a rebuild."""
        found = self._owners.find({}, {"activities": 1})
        return sorted([(owner["_id"], owner.get("activities", 0)) async for owner in found])

    async def files(self, owner: str) -> list[Files]:
        """All files of a runner that there are activities of, in the order of a rebuild."""
        fields = {"original": 1, "session": 1, "sport": 1, "source.sha256": 1}
        by_file: dict[tuple[files.Place, str], list[tuple[str, int, Sport]]] = {}
        async for document in self._everything.of(owner, fields):
            if "original" in document:
                one = (document["_id"], document["session"], document["sport"])
                by_file.setdefault((document["original"], document["source"]["sha256"]), []).append(one)
        found = [Files(place, sha256, tuple(activities)) for (place, sha256), activities in by_file.items()]
        return sorted(found, key=lambda one: str(one.place))

    async def place(self) -> Place:
        """Where the last rebuild was interrupted; the beginning where it was not."""
        document: Document | None = await self._places.find_one({"_id": _THE_ONE}, {"_id": 0})
        return msgspec.convert(document, Place) if document else Place()

    async def keep(self, place: Place) -> None:
        """Note where a rebuild is."""
        await self._places.replace_one({"_id": _THE_ONE}, msgspec.to_builtins(place), upsert=True)

    async def finish(self) -> None:
        """The next rebuild begins at the beginning."""
        await self._places.delete_one({"_id": _THE_ONE})
