"""Accounts, and the links that were mailed to them.

An e-mail address has one account: a unique index on its key says so, not a look before the write. A change and what is
told of it are one transaction; a link is used by deleting it in that transaction, so that of two that use it at once
one finds nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.accounts.domain.accounts import Account, Profile
from services.accounts.domain.finding import terms_of
from services.accounts.domain.links import Claimed, Link, LinkGone, Purpose
from services.accounts.store import directory
from services.chassis.bus.event import Message
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import Once
from services.chassis.mongo import CollectionSpec, Database, Document, DuplicateKeyError, IndexSpec, Session
from services.chassis.problems import NotFound, Stale

ACCOUNTS, LINKS = "accounts", "links"

COLLECTIONS = (
    CollectionSpec(
        ACCOUNTS,
        indexes=(
            IndexSpec((("email_key", 1),), name="one_account_an_address", unique=True),
            *directory.INDEXES,
            IndexSpec((("audit_key", 1),), name="by_audit_key", sparse=True),  # see `trail`
        ),
        schema={
            "bsonType": "object",
            "required": ["_id", "email", "email_key", "password", "profile", "roles", "created_at", "version"],
            "properties": {
                "email": {"bsonType": "string"},
                "email_key": {"bsonType": "string"},
                "password": {"bsonType": "string"},
                "profile": {"bsonType": "object", "required": ["name", "locale", "timezone", "units"]},
                "roles": {"bsonType": "array", "items": {"enum": ["runner", "hotelier", "admin"]}},
                "created_at": {"bsonType": "date"},
                "version": {"bsonType": ["int", "long"], "minimum": 1},
            },
        },
    ),
    directory.NUMBERS,
    CollectionSpec(
        LINKS,
        indexes=(
            IndexSpec((("expires_at", 1),), name="expiry", expire_after_s=0),
            IndexSpec((("sub", 1), ("purpose", 1)), name="by_person"),
        ),
    ),
)

CHANGING = (
    "password",
    "profile",
    "roles",
    "activated_at",
    "password_set_at",
    "disabled_at",
    "version",
    directory.TERMS,
)

Change = Callable[[Account], Account]
UseLink = Callable[[Account, Link], Account]
Tell = Callable[[Account, Account], Sequence[Message]]
Beside = Callable[[Session, Account, Account], Awaitable[None]]


class EmailTaken(Exception):
    """The address has an account by now."""


class Accounts:
    """The accounts and links of one database; what is told goes to its outbox."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox
        self._accounts = database.collection(ACCOUNTS)
        self._links = database.collection(LINKS)
        self._numbers = directory.Numbers(database)

    async def by_email(self, email_key: str) -> Account | None:
        """The account of an address, or None."""
        found = await self._accounts.find_one({"email_key": email_key})
        return account_of(found) if found else None

    async def find(self, sub: str, session: Session | None = None) -> Account | None:
        """The account of a person, or None."""
        found = await self._accounts.find_one({"_id": sub}, session=session)
        return account_of(found) if found else None

    async def add(
        self, account: Account, email_key: str, link: Link | None, told: Sequence[Message], once: Once[None]
    ) -> None:
        """Keep a new account, the link that was made for it, and what is to be told. Raises `EmailTaken`."""
        number = await self._numbers.next()

        async def body(session: Session) -> None:
            document = {**_account_document(account), "email_key": email_key, "number": number}
            await self._accounts.insert_one(document, session=session)
            await self._tell(session, link, told, once)

        try:
            await self._database.transact(body)
        except DuplicateKeyError as duplicate:
            raise EmailTaken from duplicate

    async def tell(self, link: Link | None, told: Sequence[Message], once: Once[None]) -> None:
        """Keep a link for an account that is there, where one was made, and what is to be told."""

        async def body(session: Session) -> None:
            await self._tell(session, link, told, once)

        await self._database.transact(body)

    async def use_link(self, link_hash: str, purpose: Purpose, now: datetime, change: UseLink, tell: Tell) -> Account:
        """Use a link: change its account as `change` says, and tell of it (of it before, and after). Raises `LinkGone`.

        Every other link of this purpose that the person was sent is used up with it.
        """

        async def body(session: Session) -> Account:
            wanted = {"_id": link_hash, "purpose": purpose, "expires_at": {"$gt": now}}
            used = await self._links.find_one_and_delete(wanted, session=session)
            found = await self._accounts.find_one({"_id": used["sub"]}, session=session) if used else None
            if not used or not found:
                raise LinkGone
            account = account_of(found)
            changed = msgspec.structs.replace(change(account, _link(used)), version=account.version + 1)
            await self._accounts.update_one({"_id": changed.id}, {"$set": _changes(changed)}, session=session)
            await self._links.delete_many({"sub": changed.id, "purpose": purpose}, session=session)
            await self._outbox.add(session, *tell(account, changed))
            return changed

        return await self._database.transact(body)

    async def change(
        self, sub: str, change: Change, tell: Tell, *, expected: int | None = None, beside: Beside | None = None
    ) -> Account:
        """Change an account; raises `NotFound`, and `Stale` where it is not of the expected version.

        A change that changes nothing writes and tells nothing. `beside` writes, or refuses, in the same transaction.
        """

        async def body(session: Session) -> Account:
            found = await self._accounts.find_one({"_id": sub}, session=session)
            if found is None:
                raise NotFound
            account = account_of(found)
            if expected is not None and account.version != expected:
                raise Stale
            changed = change(account)
            if changed == account:
                return account
            changed = msgspec.structs.replace(changed, version=account.version + 1)
            await self._accounts.update_one({"_id": sub}, {"$set": _changes(changed)}, session=session)
            await self._outbox.add(session, *tell(account, changed))
            if beside is not None:
                await beside(session, account, changed)
            return changed

        return await self._database.transact(body)

    async def replace_password(self, sub: str, old: str, new: str) -> None:
        """Put a hash in the place of another one of the same password (its parameters have changed)."""
        await self._accounts.update_one({"_id": sub, "password": old}, {"$set": {"password": new}})

    async def remove(self, session: Session, sub: str) -> bool:
        """Remove a person's account and links in a transaction; False where there is no account."""
        await self._links.delete_many({"sub": sub}, session=session)
        return (await self._accounts.delete_one({"_id": sub}, session=session)).deleted_count == 1

    async def last_seen(self, sub: str) -> datetime | None:
        """When somebody was here last, to the hour; None where nobody knows."""
        found = await self._accounts.find_one({"_id": sub}, {directory.LAST_SEEN: 1})
        return found.get(directory.LAST_SEEN) if found else None

    async def saw(self, sub: str, now: datetime) -> None:
        """Note that somebody is here. Once an hour is enough."""
        lately = {directory.LAST_SEEN: {"$not": {"$gt": now - directory.SEEN_EVERY}}}
        await self._accounts.update_one({"_id": sub, **lately}, {"$set": {directory.LAST_SEEN: now}})

    async def erase(self, sub: str) -> None:
        """Remove a person's account and links."""
        await self._links.delete_many({"sub": sub})
        await self._accounts.delete_one({"_id": sub})

    async def _tell(self, session: Session, link: Link | None, told: Sequence[Message], once: Once[None]) -> None:
        if link:
            await self._links.insert_one(_link_document(link), session=session)
        await self._outbox.add(session, *told)
        await once.keep(session, None)


def _changes(account: Account) -> Document:
    document = _account_document(account)
    return {name: document[name] for name in CHANGING}


def _account_document(account: Account) -> Document:
    fields = msgspec.structs.asdict(account)
    roles = [str(role) for role in account.roles]
    return {
        "_id": fields.pop("id"),
        **fields,
        "profile": _profile_document(account.profile),
        "roles": roles,
        directory.TERMS: terms_of(account),
    }


def account_of(document: Document) -> Account:
    """The account in a document."""
    fields = {name: value for name, value in document.items() if name in Account.__struct_fields__}
    return msgspec.convert({**fields, "id": document["_id"], "profile": _profile(document["profile"])}, Account)


def _link_document(link: Link) -> Document:
    document: Document = {"_id": link.hash, "purpose": link.purpose, "sub": link.sub, "expires_at": link.expires_at}
    if link.claimed:
        claimed = {"password": link.claimed.password, "profile": _profile_document(link.claimed.profile)}
        document["claimed"] = claimed
    return document


def _link(document: Document) -> Link:
    claimed = document.get("claimed")
    return Link(
        document["_id"],
        Purpose(document["purpose"]),
        document["sub"],
        document["expires_at"],
        Claimed(claimed["password"], _profile(claimed["profile"])) if claimed else None,
    )


def _profile_document(profile: Profile) -> Document:
    """A day is kept as its date in text: BSON has moments only."""
    fields: dict[str, Any] = msgspec.structs.asdict(profile)
    return {**fields, "born_on": profile.born_on.isoformat() if profile.born_on else None}


def _profile(document: Document) -> Profile:
    return msgspec.convert(document, Profile)
