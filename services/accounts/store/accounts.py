"""Accounts, and what changes them.

An e-mail address has one account: a unique index on its key says so, not a look before the write. A change, the use of the
link that it was made with, and what is told of it are one transaction.

An account that nobody has confirmed knows since when it waits for that, beginning anew with each link that is mailed for it.
Who mails a link, who confirms with one, and who removes the account all write to it: of two at once one sees the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from services.accounts.domain.accounts import Account
from services.accounts.domain.finding import terms_of
from services.accounts.domain.links import EmailTaken, Link, LinkGone, Purpose
from services.accounts.store import directory
from services.accounts.store.documents import profile_document, profile_of
from services.accounts.store.links import Links
from services.chassis.addresses import parse_address
from services.chassis.bus.event import Message
from services.chassis.bus.outbox import Outbox
from services.chassis.idempotency import Once
from services.chassis.mongo import (
    ASCENDING,
    CollectionSpec,
    Database,
    Document,
    DuplicateKeyError,
    IndexSpec,
    Session,
)
from services.chassis.problems import NotFound, Stale

ACCOUNTS, UNCONFIRMED = "accounts", "unconfirmed_since"

COLLECTIONS = (
    CollectionSpec(
        ACCOUNTS,
        indexes=(
            IndexSpec((("email_key", 1),), name="one_account_an_address", unique=True),
            *directory.INDEXES,
            IndexSpec((("audit_key", 1),), name="by_audit_key", sparse=True),  # see `trail`
            IndexSpec(((UNCONFIRMED, 1),), name="unconfirmed", sparse=True),
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
)

CHANGING = (
    "email",
    "password",
    "profile",
    "roles",
    "activated_at",
    "password_set_at",
    "disabled_at",
    "version",
    directory.TERMS,
)

T = TypeVar("T")
Change = Callable[[Account], Account]
UseLink = Callable[[Account, Link], Account]
Tell = Callable[[Account, Account], Sequence[Message]]
Beside = Callable[[Session, Account, Account], Awaitable[None]]


class Accounts:
    """The accounts and links of one database; what is told goes to its outbox."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox
        self._accounts = database.collection(ACCOUNTS)
        self._links = Links(database)
        self._numbers = directory.Numbers(database)

    async def by_email(self, email_key: str) -> Account | None:
        """The account of an address, or None."""
        found = await self._accounts.find_one({"email_key": email_key})
        return account_of(found) if found else None

    async def find(self, sub: str, session: Session | None = None) -> Account | None:
        """The account of a person, or None."""
        found = await self._accounts.find_one({"_id": sub}, session=session)
        return account_of(found) if found else None

    async def holder_of(self, email_key: str, now: datetime) -> Account | None:
        """The account of an address, or the one that had it until lately and can have it back.

        In this order: an address that is given up has its recovery in the same transaction.
        """
        account = await self.by_email(email_key)
        former = None if account else await self._links.who_can_recover(email_key, now)
        return await self.find(former) if former else account

    async def by_link(self, link_hash: str, purposes: Sequence[Purpose], now: datetime) -> tuple[Account, Link]:
        """The account of a link that is good for one of these, and the link, which stays good. Raises `LinkGone`."""
        link = await self._links.find(link_hash, purposes, now)
        account = await self.find(link.sub) if link else None
        if link is None or account is None:
            raise LinkGone
        return account, link

    async def add(
        self, account: Account, email_key: str, links: Sequence[Link], told: Sequence[Message], once: Once[None]
    ) -> None:
        """Keep a new account, the links that were made for it, and what is to be told. Raises `EmailTaken`."""
        number = await self._numbers.next()

        async def body(session: Session) -> None:
            document = {**_account_document(account), "email_key": email_key, "number": number}
            if not account.activated:
                document[UNCONFIRMED] = account.created_at
            await self._accounts.insert_one(document, session=session)
            await self._tell(session, links, told, once)

        await self._transact(body)

    async def tell(self, told: Sequence[Message], once: Once[None]) -> None:
        """Keep what is to be told."""
        await self.mail((), told, once)

    async def mail(self, links: Sequence[Link], mails: Sequence[Message], once: Once[None]) -> None:
        """Keep links that were made for an account, and the mails that carry them. Raises `NotFound` where it has gone."""

        async def body(session: Session) -> None:
            for link in links:
                await self._wait_anew(session, link)
            await self._tell(session, links, mails, once)

        await self._database.transact(body)

    async def use_link(
        self,
        link_hash: str,
        purpose: Purpose,
        now: datetime,
        change: UseLink,
        tell: Tell,
        *,
        leave: Sequence[Link] = (),
    ) -> Account:
        """Use a link: change its account as `change` says, and tell of it (of it before, and after).

        `leave` are links that come of it. Raises `LinkGone`, and `EmailTaken` where it leads to an address that is another's.
        """

        async def body(session: Session) -> Account:
            used = await self._links.use(session, link_hash, purpose, now)
            found = await self._accounts.find_one({"_id": used.sub}, session=session)
            if not found:
                raise LinkGone
            account = account_of(found)
            changed = msgspec.structs.replace(change(account, used), version=account.version + 1)
            await self._accounts.update_one({"_id": changed.id}, _update(changed), session=session)
            await self._links.add(session, leave)
            await self._outbox.add(session, *tell(account, changed))
            return changed

        return await self._transact(body)

    async def change(
        self,
        sub: str,
        change: Change,
        tell: Tell,
        *,
        expected: int | None = None,
        beside: Beside | None = None,
        void: Sequence[Purpose] = (),
    ) -> Account:
        """Change an account; raises `NotFound`, and `Stale` where it is not of the expected version.

        A change that changes nothing writes and tells nothing. `beside` writes, or refuses, in the same transaction; `void` are
        links that are no good after it.
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
            await self._accounts.update_one({"_id": sub}, _update(changed), session=session)
            await self._links.void(session, sub, void)
            await self._outbox.add(session, *tell(account, changed))
            if beside is not None:
                await beside(session, account, changed)
            return changed

        return await self._database.transact(body)

    async def void_links(self, sub: str, purpose: Purpose) -> None:
        """Make a person's links for a purpose void."""
        await self._links.void(None, sub, (purpose,))

    async def replace_password(self, sub: str, old: str, new: str) -> None:
        """Put a hash in the place of another one of the same password (its parameters have changed)."""
        await self._accounts.update_one({"_id": sub, "password": old}, {"$set": {"password": new}})

    async def unconfirmed(self, since: datetime, limit: int) -> list[Account]:
        """Accounts that have waited since before this moment for somebody to confirm them, the oldest first."""
        waiting = {"activated_at": None, UNCONFIRMED: {"$lt": since}}
        found = self._accounts.find(waiting).sort(UNCONFIRMED, ASCENDING).limit(limit)
        return [account_of(document) async for document in found]

    async def wait_from(self, sub: str, now: datetime) -> None:
        """Let an account that nobody has confirmed wait as long again."""
        await self._accounts.update_one({"_id": sub, "activated_at": None}, {"$set": {UNCONFIRMED: now}})

    async def remove(self, session: Session, sub: str, *, unconfirmed_since: datetime | None = None) -> bool:
        """Remove a person's account and links in a transaction; False where there is no account.

        With `unconfirmed_since`, no account either that somebody has confirmed, or that waits since that moment or later.
        """
        if unconfirmed_since is not None:
            found = await self._accounts.find_one({"_id": sub}, session=session)
            if not found or found["activated_at"] or found.get(UNCONFIRMED, unconfirmed_since) >= unconfirmed_since:
                return False
        await self._links.erase(sub, session)
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
        await self._links.erase(sub)
        await self._accounts.delete_one({"_id": sub})

    async def _transact(self, body: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        """Raises `EmailTaken`: what is written here has nothing unique but the address."""
        try:
            return await self._database.transact(body)
        except DuplicateKeyError as duplicate:
            raise EmailTaken from duplicate

    async def _wait_anew(self, session: Session, link: Link) -> None:
        """See that the account of a link that is just mailed is there, and stays for as long as the link is good."""
        found = await self._accounts.find_one({"_id": link.sub}, session=session)
        if found is None:
            raise NotFound
        if found.get(UNCONFIRMED):
            await self._accounts.update_one(
                {"_id": link.sub}, {"$set": {UNCONFIRMED: link.expires_at}}, session=session
            )

    async def _tell(self, session: Session, links: Sequence[Link], told: Sequence[Message], once: Once[None]) -> None:
        await self._links.add(session, links)
        await self._outbox.add(session, *told)
        await once.keep(session, None)


def _update(account: Account) -> Document:
    document = _account_document(account)
    changing = {name: document[name] for name in CHANGING}
    change = {"$set": {**changing, "email_key": parse_address(account.email).key}}
    return {**change, "$unset": {UNCONFIRMED: ""}} if account.activated else change


def _account_document(account: Account) -> Document:
    fields = msgspec.structs.asdict(account)
    roles = [str(role) for role in account.roles]
    return {
        "_id": fields.pop("id"),
        **fields,
        "profile": profile_document(account.profile),
        "roles": roles,
        directory.TERMS: terms_of(account),
    }


def account_of(document: Document) -> Account:
    """The account in a document."""
    fields = {name: value for name, value in document.items() if name in Account.__struct_fields__}
    return msgspec.convert({**fields, "id": document["_id"], "profile": profile_of(document["profile"])}, Account)
