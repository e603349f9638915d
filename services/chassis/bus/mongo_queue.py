"""Queues as documents: what the MongoDB transport keeps in the bus's own database, and every change it makes there.

One document a message and queue: an event is fanned out to its groups when it is published. `due_at` is all the state
there is of a waiting message: a claim moves it to the end of the lease, a renewal further, a failure to the next
attempt; a message whose worker died is simply due again. What is done is kept for a while as a bare id, so that
publishing twice delivers once.

A claim is a conditional update of a candidate found before, not a `find_one_and_update`: many workers then read once
and compete for single documents, and the embedded SecantusDB scans a collection for each `find_one_and_update`.
Leases compare the clocks of the machines of one deployment: they are long (a quarter of a minute) against any skew.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from services.chassis.bus.event import Message, encode, readable
from services.chassis.bus.transport import BusUnavailable, Data, Parked
from services.chassis.mongo import (
    ASCENDING,
    BulkWriteError,
    CollectionSpec,
    Database,
    DatabaseError,
    Document,
    IndexSpec,
    within_deadline,
)
from services.chassis.together import Together

MESSAGES, GROUPS = "messages", "groups"
BROADCAST = "broadcast"
DONE_KEPT_S = 600
BROADCAST_KEPT = timedelta(seconds=60)
OPERATION_S = 3.0
DUPLICATE_KEY = 11000

COLLECTIONS = (
    CollectionSpec(
        MESSAGES,
        indexes=(
            IndexSpec((("queue", ASCENDING), ("due_at", ASCENDING)), name="due"),
            IndexSpec((("parked_at", ASCENDING),), name="parked", sparse=True),
            IndexSpec((("sub", ASCENDING),), name="person", sparse=True),
            IndexSpec((("done_at", ASCENDING),), name="done", expire_after_s=DONE_KEPT_S),
            IndexSpec((("expire_at", ASCENDING),), name="expired", expire_after_s=0),
        ),
    ),
    CollectionSpec(GROUPS, indexes=(IndexSpec((("topics", ASCENDING),), name="topics"),)),
)


class Claim(Struct, frozen=True):
    """A message that is ours until its lease ends. `message` is None where its bytes can't be read."""

    key: str
    lease: str
    attempt: int
    body: str

    @property
    def message(self) -> Message | None:
        """What is in it."""
        return readable(self.body)


class Told(Struct, frozen=True):
    """One broadcast."""

    key: str
    channel: str
    body: str
    at: datetime


@contextmanager
def reachable() -> Iterator[None]:
    """Turn what the driver raises into `BusUnavailable`, and give it up in good time."""
    try:
        with within_deadline(OPERATION_S):
            yield
    except DatabaseError as failure:
        raise BusUnavailable(f"The bus's database does not answer ({type(failure).__name__})") from failure


class Queues:
    """The collections of the bus. All methods may raise `BusUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._messages = database.collection(MESSAGES)
        self._groups = database.collection(GROUPS)
        self._hearing = Together(self._groups_of)

    # -- putting in ------------------------------------------------------------------------------------------------

    async def subscribe(self, group: str, topics: Sequence[str]) -> None:
        """Keep for this group what is published on these topics from now on."""
        with reachable():
            await self._groups.update_one({"_id": group}, {"$set": {"topics": sorted(topics)}}, upsert=True)

    async def groups(self, topic: str) -> list[str]:
        """The groups that hear this topic."""
        return await self._hearing(topic) or []

    async def _groups_of(self, topics: set[str]) -> dict[str, list[str]]:
        patterns = {topic: {topic, f"{topic.partition('.')[0]}.*"} for topic in topics}
        hear = {"topics": {"$in": sorted(set().union(*patterns.values()))}}
        with reachable():
            found = await self._groups.find(hear, {"topics": 1}).to_list(None)
        return {
            topic: [group["_id"] for group in found if not wanted.isdisjoint(group["topics"])]
            for topic, wanted in patterns.items()
        }

    async def put(self, message: Message, queues: Sequence[str], *, expire_at: datetime | None = None) -> None:
        """Put the message in these queues; where it was put before, nothing happens."""
        now = _now()
        more: Document = {"expire_at": expire_at} if expire_at else {}
        await self._insert([{**_waiting(message, queue, now), **more} for queue in queues])

    async def tell(self, channel: str, data: Data, traceparent: str | None) -> None:
        """Leave a broadcast for every process that watches."""
        now = _now()
        body = msgspec.json.encode({"data": data, "traceparent": traceparent}).decode()
        document = {"_id": secrets.token_hex(16), "queue": f"{BROADCAST}.{channel}", "told": body, "told_at": now}
        await self._insert([{**document, "expire_at": now + BROADCAST_KEPT}])

    async def _insert(self, documents: list[Document]) -> None:
        if not documents:
            return
        with reachable():
            try:
                await self._messages.insert_many(documents, ordered=False)
            except BulkWriteError as failure:
                if any(error["code"] != DUPLICATE_KEY for error in (failure.details or {})["writeErrors"]):
                    raise

    # -- taking out ------------------------------------------------------------------------------------------------

    async def due(self, queues: Sequence[str]) -> set[str]:
        """Those of the queues in which something is due."""
        with reachable():
            return set(await self._messages.distinct("queue", {"queue": {"$in": list(queues)}, **_due()}))

    async def claim(self, queue: str, count: int, lease_s: float) -> list[Claim]:
        """Lease up to so many messages of this queue, the longest due first; fewer where others are faster."""
        with reachable():
            found = self._messages.find({"queue": queue, **_due()}).sort("due_at", ASCENDING).limit(count)
            claims = [await self._claim(document, lease_s) for document in await found.to_list(count)]
        return [claim for claim in claims if claim]

    async def _claim(self, seen: Document, lease_s: float) -> Claim | None:
        lease = secrets.token_hex(8)
        taken = await self._messages.update_one(
            {"_id": seen["_id"], "due_at": seen["due_at"]},
            {"$set": {"due_at": _now() + timedelta(seconds=lease_s), "lease": lease}, "$inc": {"attempts": 1}},
        )
        return Claim(seen["_id"], lease, seen["attempts"] + 1, seen["body"]) if taken.modified_count else None

    async def renew(self, claims: Sequence[Claim], lease_s: float) -> None:
        """Keep these for longer."""
        ours = {"_id": {"$in": [claim.key for claim in claims]}, "lease": {"$in": [claim.lease for claim in claims]}}
        with reachable():
            await self._messages.update_many(ours, {"$set": {"due_at": _now() + timedelta(seconds=lease_s)}})

    async def done(self, claim: Claim) -> None:
        """It was handled: only its id is kept, for a while."""
        gone = dict.fromkeys(
            ("message_id", "queue", "body", "due_at", "attempts", "lease", "sub", "error", "expire_at"), ""
        )
        await self._settle(claim, {"$set": {"done_at": _now()}, "$unset": gone})

    async def again(self, claim: Claim, delay_s: float, error: str) -> None:
        """It failed and is due again after the delay."""
        due = _now() + timedelta(seconds=delay_s)
        await self._settle(claim, {"$set": {"due_at": due, "error": error}, "$unset": {"lease": ""}})

    async def hand_back(self, claim: Claim) -> None:
        """We stop before it was done: it is due now, and this attempt did not count."""
        back = {"$set": {"due_at": _now()}, "$unset": {"lease": ""}, "$inc": {"attempts": -1}}
        await self._settle(claim, back)

    async def park(self, claim: Claim, error: str) -> None:
        """It is given up."""
        await self._settle(
            claim, {"$set": {"parked_at": _now(), "error": error}, "$unset": {"due_at": "", "lease": ""}}
        )

    async def _settle(self, claim: Claim, change: Document) -> None:
        with reachable():
            await self._messages.update_one({"_id": claim.key, "lease": claim.lease}, change)

    async def told_since(self, channels: Sequence[str], since: datetime) -> list[Told]:
        """The broadcasts on these channels since then, in order."""
        queues = [f"{BROADCAST}.{channel}" for channel in channels]
        with reachable():
            found = self._messages.find({"queue": {"$in": queues}, "told_at": {"$gte": since}})
            return [told(each) for each in await found.sort("told_at", ASCENDING).to_list(None)]

    # -- looking after ---------------------------------------------------------------------------------------------

    async def parked(self, queue: str | None, limit: int) -> list[Parked]:
        """What was given up, oldest first."""
        with reachable():
            found = self._messages.find(_parked(queue, None)).sort("parked_at", ASCENDING).limit(limit)
            return [_as_parked(document) for document in await found.to_list(limit)]

    async def replay(self, queue: str | None, ids: Sequence[str] | None) -> int:
        """Make parked messages due, with all attempts before them."""
        fresh = {"$set": {"due_at": _now(), "attempts": 0}, "$unset": {"parked_at": "", "error": ""}}
        with reachable():
            return (await self._messages.update_many(_parked(queue, ids), fresh)).modified_count

    async def forget(self, sub: str) -> int:
        """Remove this person's messages, unless somebody handles them now."""
        idle = {"$or": [{"lease": {"$exists": False}}, _due()]}
        with reachable():
            return (await self._messages.delete_many({"sub": sub, **idle})).deleted_count


def told(document: Document) -> Told:
    """The broadcast in this document."""
    return Told(document["_id"], document["queue"].removeprefix(f"{BROADCAST}."), document["told"], document["told_at"])


def _waiting(message: Message, queue: str, now: datetime) -> Document:
    document: Document = {
        "_id": f"{queue}/{message.id}",
        "message_id": message.id,
        "queue": queue,
        "body": encode(message).decode(),
        "due_at": now,
        "attempts": 0,
    }
    return document if message.sub is None else {**document, "sub": message.sub}


def _due() -> dict[str, Any]:
    return {"due_at": {"$lte": _now()}}


def _parked(queue: str | None, ids: Sequence[str] | None) -> Document:
    wanted: Document = {"parked_at": {"$exists": True}}
    if queue is not None:
        wanted["queue"] = queue
    if ids is not None:
        wanted["message_id"] = {"$in": list(ids)}
    return wanted


def _as_parked(document: Document) -> Parked:
    claim = Claim(document["_id"], "", document["attempts"], document["body"])
    return Parked(
        id=document["message_id"],
        queue=document["queue"],
        message=claim.message,
        attempts=document["attempts"],
        error=document.get("error", ""),
        parked_at=document["parked_at"],
    )


def _now() -> datetime:
    return datetime.now(UTC)
