"""The database: one client a process, one database a service, and the rules every write follows.

Only this module, the stores and the bus's MongoDB transport know the driver; they take its names from here, so that
leaving Motor (past its end of life) for PyMongo's own async API is a change in those files alone. Writes are
acknowledged by a majority and journalled (`w=majority, j=true`): without `j` a `kill -9` loses answered writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import pymongo
from bson.binary import Binary
from bson.codec_options import CodecOptions
from bson.objectid import ObjectId
from gridfs.errors import NoFile
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
    AsyncIOMotorGridFSBucket,
)
from msgspec import Struct
from pymongo import ASCENDING, DESCENDING, DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import (
    BulkWriteError,
    CollectionInvalid,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from services.chassis import context
from services.chassis.problems import Unavailable

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "Binary",
    "Bucket",
    "BulkWriteError",
    "Collection",
    "CollectionSpec",
    "CommandFailedEvent",
    "CommandListener",
    "CommandStartedEvent",
    "CommandSucceededEvent",
    "Database",
    "DatabaseAway",
    "DatabaseError",
    "DeleteOne",
    "Document",
    "DuplicateKeyError",
    "IndexSpec",
    "InsertOne",
    "Migration",
    "Mongo",
    "NoFile",
    "ObjectId",
    "OperationFailure",
    "ReplaceOne",
    "ReturnDocument",
    "Session",
    "UpdateOne",
    "is_away",
    "within_deadline",
]

T = TypeVar("T")
Document: TypeAlias = dict[str, Any]
Collection: TypeAlias = "AsyncIOMotorCollection[Document]"
Bucket: TypeAlias = AsyncIOMotorGridFSBucket
Session: TypeAlias = AsyncIOMotorClientSession
DatabaseError = PyMongoError

OPERATION_TIMEOUT_MS = 10_000
TRANSACTION_TIMEOUT_S = 15.0
TRANSIENT, UNKNOWN_COMMIT = "TransientTransactionError", "UnknownTransactionCommitResult"
FIRST_PAUSE_S, MOST_PAUSE_S = 0.005, 0.05  # about as long as a transaction takes: others begin as soon as one ends
APPLIED = "migrations"
NAMESPACE_EXISTS, NO_SUCH_TRANSACTION = 48, 251


class IndexSpec(Struct, frozen=True):
    """One index: `keys` as in `create_index`; `partial` is its filter; `expire_after_s` makes it a TTL index."""

    keys: tuple[tuple[str, int | str], ...]
    name: str
    unique: bool = False
    partial: Mapping[str, Any] | None = None
    expire_after_s: int | None = None
    sparse: bool = False


class CollectionSpec(Struct, frozen=True):
    """One collection as a store declares it: its indexes and the `$jsonSchema` its documents keep to.

    `sealed` are the fields that hold what a key-encryption key sealed, each with what says to what it is bound in a document.
    """

    name: str
    indexes: tuple[IndexSpec, ...] = ()
    schema: Mapping[str, Any] | None = None
    sealed: Mapping[str, Callable[[Document], str]] = {}


class Migration(Struct, frozen=True):
    """One change of stored data. `apply` must be safe to run twice and while the version before it serves."""

    id: str
    apply: Callable[[Database], Awaitable[None]]


class DatabaseAway(Unavailable):
    """The database can't be reached, or did not answer in time."""

    kind = "database-away"
    title = "The database does not answer right now"


def is_away(error: BaseException) -> bool:
    """Whether an error of the driver says that the database is away, and not that the program is wrong."""
    return isinstance(error, DatabaseError) and (isinstance(error, ConnectionFailure) or error.timeout)


class Mongo:
    """The one connection pool of a process. It connects at its first operation, not when it is made."""

    def __init__(self, uri: str, *, app_name: str = "runnerly", listeners: Sequence[CommandListener] = ()) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            appname=app_name,
            tz_aware=True,
            retryWrites=True,
            w="majority",
            journal=True,
            timeoutMS=OPERATION_TIMEOUT_MS,
            serverSelectionTimeoutMS=5_000,
            event_listeners=list(listeners),
        )

    def database(self, name: str) -> Database:
        """The handle of one database."""
        return Database(self._client, name)

    async def database_names(self) -> list[str]:
        """The names of all databases there are."""
        return await self._client.list_database_names()

    async def drop(self, name: str) -> None:
        """Remove a database and all that is in it."""
        await self._client.drop_database(name)

    async def ping(self) -> None:
        """Return when the database answers; raises what the driver raises when it does not."""
        await self._client.admin.command("ping")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        """One moment of all databases: what is read in this session does not see what is written meanwhile.

        MongoDB keeps that moment for `minSnapshotHistoryWindowInSeconds` (five minutes unless set). SecantusDB accepts
        a snapshot session but does not pin what it reads, so there it is a transaction, whose moment lasts as long as
        it is not idle for a minute.
        """
        build = await self._client.admin.command("buildInfo")
        if "secantusVersion" not in build:
            async with await self._client.start_session(snapshot=True) as session:
                yield session
            return
        async with await self._client.start_session() as session:
            session.start_transaction(read_concern=ReadConcern("snapshot"))
            try:
                yield session
            finally:
                await session.abort_transaction()

    def close(self) -> None:
        """Let go of every connection."""
        self._client.close()


class Database:
    """A service's own database."""

    def __init__(self, client: AsyncIOMotorClient[Document], name: str) -> None:
        self._client = client
        self._database: AsyncIOMotorDatabase[Document] = client.get_database(
            name, codec_options=CodecOptions(tz_aware=True)
        )
        self.name = name
        self._commit_listeners: list[Callable[[], None]] = []

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call this after each transaction that commits through this handle."""
        self._commit_listeners.append(listener)

    def collection(self, name: str) -> Collection:
        """The collection of this name."""
        return self._database[name]

    def bucket(self, name: str) -> Bucket:
        """The GridFS bucket of this name, for what is too large for a document. It can't be in a transaction."""
        return AsyncIOMotorGridFSBucket(self._database, bucket_name=name)

    async def transact(self, body: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        """Run `body` in a transaction, all or nothing, and return what it returns.

        It is retried on transient errors, so `body` may run more than once: it must only write, and must not
        change what it closes over. A duplicate key ends the transaction even when caught: catch it outside. Raises
        `DatabaseAway` when the database does not answer in time.
        """
        with within_deadline(TRANSACTION_TIMEOUT_S):
            async with await self._client.start_session() as session:
                try:
                    result = await _until_committed(session, body)
                except DatabaseError as failure:
                    if is_away(failure) or failure.has_error_label(TRANSIENT):
                        raise DatabaseAway from failure
                    raise
        for listener in self._commit_listeners:
            listener()
        return result

    async def apply(self, collections: Sequence[CollectionSpec], migrations: Sequence[Migration] = ()) -> list[str]:
        """Bring this database to its declared shape, and return the ids of the migrations that ran now.

        Safe to run twice, and at the same time as another: creating what is there is no error, and a migration is
        marked as applied after it ran, so that one interrupted runs again.
        """
        for spec in collections:
            await self._shape(spec)
        return [migration.id for migration in migrations if await self._migrate(migration)]

    async def pending(self, migrations: Sequence[Migration]) -> list[str]:
        """The ids of the migrations that have not been applied yet."""
        applied = {document["_id"] async for document in self.collection(APPLIED).find({}, {"_id": 1})}
        return [migration.id for migration in migrations if migration.id not in applied]

    async def _shape(self, spec: CollectionSpec) -> None:
        validator = {"$jsonSchema": dict(spec.schema)} if spec.schema else {}
        try:
            await self._database.create_collection(spec.name, validator=validator)
        except (CollectionInvalid, OperationFailure) as failure:
            if isinstance(failure, OperationFailure) and failure.code not in {None, NAMESPACE_EXISTS}:
                raise
            await self._database.command("collMod", spec.name, validator=validator)
        for index in spec.indexes:
            await self.collection(spec.name).create_index(list(index.keys), **_index_options(index))

    async def _migrate(self, migration: Migration) -> bool:
        applied = self.collection(APPLIED)
        if await applied.find_one({"_id": migration.id}):
            return False
        await migration.apply(self)
        await applied.update_one({"_id": migration.id}, {"$currentDate": {"applied_at": True}}, upsert=True)
        return True

    async def command(self, command: Mapping[str, Any]) -> Document:
        """What the database answers to a command of its own protocol, for what has no name here."""
        answer: Document = await self._database.command(dict(command))
        return answer

    async def collection_names(self) -> list[str]:
        """The names of all collections in this database."""
        return await self._database.list_collection_names()

    @asynccontextmanager
    async def changes(
        self, collection: str, pipeline: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> AsyncIterator[AsyncIterator[Document]]:
        """A change stream on one collection. It holds a connection and a thread of the pool: open one a process."""
        async with self.collection(collection).watch(list(pipeline), **options) as stream:
            yield stream


async def _until_committed(session: Session, body: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
    """What the driver's `with_transaction` is for (the loops of the transactions specification).

    Motor 3.7's own commits inside its context manager, past its retries: a write conflict or a failover that shows only
    at the commit reached the caller.
    """
    deadline, pause_s = time.monotonic() + TRANSACTION_TIMEOUT_S, FIRST_PAUSE_S
    while True:
        session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority", j=True))
        try:
            result = await body(session)
            await _commit(session, deadline)
        except BaseException as failure:
            with contextlib.suppress(DatabaseError):  # it is over already, or the server is gone and ends it itself
                await session.abort_transaction()
            transient = isinstance(failure, DatabaseError) and failure.has_error_label(TRANSIENT)
            if not transient or time.monotonic() + pause_s > deadline:
                raise
        else:
            return result
        await asyncio.sleep(pause_s * random.random())  # noqa: S311 - jitter
        pause_s = min(MOST_PAUSE_S, pause_s * 1.5)


async def _commit(session: Session, deadline: float) -> None:
    """Commit, again for as long as nobody knows whether it was done: the server does it once.

    The driver asks again by itself when the connection breaks. A server that was killed in between may have forgotten
    that it did commit (SecantusDB has) and answer that there is no such transaction, which the specification takes for
    "run it again". That could be twice, so we say instead that we don't know.
    """
    while True:
        try:
            await session.commit_transaction()
        except DatabaseError as failure:
            if isinstance(failure, OperationFailure) and failure.code == NO_SUCH_TRANSACTION:
                raise Unavailable("It is not known whether this was saved: look before you try again") from failure
            if not failure.has_error_label(UNKNOWN_COMMIT) or time.monotonic() > deadline:
                raise
            await asyncio.sleep(FIRST_PAUSE_S)
        else:
            return


def _index_options(index: IndexSpec) -> dict[str, Any]:
    options: dict[str, Any] = {"name": index.name}
    if index.unique:
        options["unique"] = True
    if index.sparse:
        options["sparse"] = True
    if index.partial is not None:
        options["partialFilterExpression"] = dict(index.partial)
    if index.expire_after_s is not None:
        options["expireAfterSeconds"] = index.expire_after_s
    return options


def within_deadline(at_most_s: float) -> Any:
    """A context manager: operations inside it end by the request's deadline, at the latest after `at_most_s`."""
    return pymongo.timeout(max(0.001, context.remaining_s(at_most_s)))
