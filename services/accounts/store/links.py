"""The links that were mailed. One is used by deleting it in the transaction of its effect: of two one finds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.accounts.domain.links import VOIDS, Claimed, Link, LinkGone, Purpose
from services.accounts.store.documents import profile_document, profile_of
from services.chassis.addresses import parse_address
from services.chassis.mongo import CollectionSpec, Database, Document, IndexSpec, Session

LINKS = "links"

COLLECTIONS = (
    CollectionSpec(
        LINKS,
        indexes=(
            IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),
            IndexSpec((("sub", 1), ("purpose", 1)), name="by_person"),
            IndexSpec((("email_key", 1),), name="by_address"),
        ),
    ),
)


class Links:
    """The links of one database."""

    def __init__(self, database: Database) -> None:
        self._links = database.collection(LINKS)

    async def add(self, session: Session, links: Sequence[Link]) -> None:
        """Keep these."""
        for link in links:
            await self._links.insert_one(_document(link), session=session)

    async def find(self, link_hash: str, purposes: Sequence[Purpose], now: datetime) -> Link | None:
        """The link of this hash, where it is good for one of these."""
        found = await self._links.find_one({"_id": link_hash, "expires_at": {"$gt": now}})
        return _link(found) if found and found["purpose"] in purposes else None

    async def use(self, session: Session, link_hash: str, purpose: Purpose, now: datetime) -> Link:
        """Use a link up, with those that its use makes void. Raises `LinkGone`."""
        wanted = {"_id": link_hash, "purpose": purpose, "expires_at": {"$gt": now}}
        found = await self._links.find_one_and_delete(wanted, session=session)
        if found is None:
            raise LinkGone
        used = _link(found)
        await self.void(session, used.sub, VOIDS[purpose])
        if purpose is Purpose.RECOVERY:  # what was changed after it is undone, and can't be brought back
            recoveries = {"sub": used.sub, "purpose": purpose}
            await self._links.delete_many({**recoveries, "expires_at": {"$gte": used.expires_at}}, session=session)
            await self._links.delete_many({**recoveries, "email": used.email}, session=session)
        return used

    async def void(self, session: Session | None, sub: str, purposes: Sequence[Purpose]) -> None:
        """Make a person's links for these purposes void."""
        for purpose in purposes:
            await self._links.delete_many({"sub": sub, "purpose": purpose}, session=session)

    async def who_can_recover(self, email_key: str, now: datetime) -> str | None:
        """The person who can still bring this address back to their account, or None."""
        async for found in self._links.find({"email_key": email_key}):
            if found["purpose"] == Purpose.RECOVERY and found["expires_at"] > now:
                return str(found["sub"])
        return None

    async def erase(self, sub: str, session: Session | None = None) -> None:
        """Remove a person's links."""
        await self._links.delete_many({"sub": sub}, session=session)


def _document(link: Link) -> Document:
    document: Document = {"_id": link.hash, "purpose": link.purpose, "sub": link.sub, "expires_at": link.expires_at}
    if link.claimed:
        claimed = {"password": link.claimed.password, "profile": profile_document(link.claimed.profile)}
        document["claimed"] = claimed
    if link.email:
        document |= {"email": link.email, "email_key": parse_address(link.email).key}
    return document


def _link(document: Document) -> Link:
    claimed = document.get("claimed")
    return Link(
        document["_id"],
        Purpose(document["purpose"]),
        document["sub"],
        document["expires_at"],
        Claimed(claimed["password"], profile_of(claimed["profile"])) if claimed else None,
        document.get("email"),
    )
