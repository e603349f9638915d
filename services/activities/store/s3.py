"""Files as objects in a bucket of Amazon's S3, or of another store that speaks its protocol.

The key of an object is `<prefix>/<digest of the runner's id>/<an id of its own>`: what belongs to a runner lies together,
to be removed as one, and logs of who reads what in the bucket tell nobody's id. The prefix is no part of a place, so that
a bucket can be copied under another.

Imported only where a bucket is configured: the library takes some megabytes of every process.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from obstore.exceptions import BaseError
from obstore.store import S3Store

from services.activities.store.files import Place
from services.chassis import context
from services.chassis.breaker import Breaker, CircuitOpen, telling
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.mongo import ObjectId
from services.chassis.problems import NotFound, Problem, Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Config

PARTY = "s3"
MEDIA_TYPE = "application/zstd"
CALL_S = 25.0  # with what is tried again
ATTEMPT_S, CONNECT_S = 10.0, 2.0
RETRIES = 2
PAGE = 1000
# A call that had less time than this tells more about our caller's haste than about the store.
FAIR_CHANCE_S = 1.0
UNREACHABLE = "Files as they were uploaded can't be reached right now"
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_WHERE_ROLES_ARE_ASKED_FOR = "http://169.254."


class BucketAway(Unavailable):
    """The store does not answer, or says that it can't now."""


class BucketRefuses(Unavailable):
    """The store answers, and does not do what it is asked."""


class AccessDenied(BucketRefuses):
    """The credentials are wrong, or may not do this."""


class NoCredentials(BucketRefuses):
    """There are no credentials: none are set, and no role of this machine gives any."""


class NoSuchBucket(BucketRefuses):
    """There is no bucket of this name."""


class Location(Struct, frozen=True):
    """Which bucket, and how one gets at it. What is empty is as AWS has it: by region, by the role of the machine."""

    url: str
    region: str
    endpoint: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""

    def store(self) -> S3Store:
        """A client of it; connections are made when first needed.

        It looks into the environment itself, for roles, and takes an empty variable for a value, which none is for us.
        """
        for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
            del os.environ[name]
        url = urlsplit(self.url)
        config: S3Config = {"region": self.region}
        if self.endpoint:
            config["aws_endpoint_url_s3"] = self.endpoint
        if self.access_key_id:
            config["access_key_id"] = self.access_key_id
            config["secret_access_key"] = self.secret_access_key
        return S3Store(
            url.netloc,
            prefix=url.path.strip("/") or None,
            config=config,
            client_options={
                "allow_http": self.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=CONNECT_S),
                "timeout": timedelta(seconds=ATTEMPT_S),
                "user_agent": "runnerly-activities",
            },
            retry_config={
                "max_retries": RETRIES,
                "retry_timeout": timedelta(seconds=ATTEMPT_S),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=1),
                    "base": 2,
                },
            },
        )


class S3Files:
    """The files in a bucket. Each call has a deadline and a few attempts, and none is made while the store is away."""

    def __init__(self, location: Location, service: str, metrics: Metrics, log: Logger) -> None:
        self._store = location.store()
        self._service = service
        self._metrics = metrics
        self._log = log
        self._breaker = Breaker(on_change=telling(service, PARTY, metrics, log))

    def new_place(self, owner: str) -> str:
        """As `Files`."""
        return f"{folder_of(owner)}/{ObjectId()}"

    async def write(self, place: Place, owner: str, sha256: str, content: bytes) -> None:
        """As `Files`. The request is signed with a digest of the bytes, so that what arrives is what was sent."""
        attributes = {"Content-Type": MEDIA_TYPE, "sha256": sha256}
        async with self._call():
            await self._store.put_async(str(place), content, attributes=attributes, use_multipart=False)

    async def read(self, place: Place) -> bytes:
        """As `Files`."""
        async with self._call():
            answer = await self._store.get_async(str(place))
            return (await answer.bytes_async()).to_bytes()

    async def remove(self, place: Place) -> None:
        """As `Files`."""
        async with self._call():
            await self._store.delete_async(str(place))

    async def remove_all(self, owner: str) -> None:
        """As `Files`: page by page, whatever is under the runner's part of the bucket."""
        async for keys in self._keys(folder_of(owner)):
            async with self._call():
                await self._store.delete_async(keys)

    async def check(self) -> None:
        """Ask whether we may look into the bucket. Raises `BucketAway`, `BucketRefuses`."""
        async for _ in self._keys("nobody"):
            break

    async def _keys(self, folder: str) -> AsyncIterator[list[str]]:
        """The keys under a part of the bucket, page by page."""
        pages = self._store.list(folder, chunk_size=PAGE)
        while True:
            async with self._call():
                page = await anext(pages, None)
            if not page:
                return
            yield [one["path"] for one in page]

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        """Within a deadline, measured, and with what can go wrong in our words."""
        began, allowed_s, ending = time.monotonic(), context.remaining_s(CALL_S), _Ending("cancelled")
        try:
            with self._breaker.attempt() as attempt:
                try:
                    async with asyncio.timeout(allowed_s):
                        yield
                    ending = _Ending("ok", succeeded=True)
                except (BaseError, OSError) as error:
                    ending = _ending(error, had_a_chance=allowed_s >= FAIR_CHANCE_S)
                    raise ending.problem from error
                finally:
                    attempt.succeeded = ending.succeeded
        except CircuitOpen as refusal:
            ending = _Ending("open")
            raise BucketAway(UNREACHABLE, retry_after_s=math.ceil(refusal.wait_s)) from refusal
        finally:
            ms = (time.monotonic() - began) * 1000
            self._metrics.timing("outgoing.call", ms, service=self._service, party=PARTY, outcome=ending.outcome)
            if ending.reason:
                self._log.warning("outgoing.failed", party=PARTY, outcome=ending.reason, ms=round(ms))


def folder_of(owner: str) -> str:
    """The part of the bucket that is a runner's: ids can't be guessed, so their digests tell nothing."""
    return hashlib.sha256(owner.encode()).hexdigest()[:32]


class _Ending(Struct, frozen=True):
    """How a call ended: for the metric, for the circuit breaker, for the caller, for the log."""

    outcome: str
    succeeded: bool | None = None
    problem: Problem = Problem()
    reason: str = ""


def _ending(error: BaseError | OSError, *, had_a_chance: bool) -> _Ending:
    """What became of a call that raised this. The library tells statuses and the store's own words only in its text."""
    code = _found(_CODE, error)
    if isinstance(error, TimeoutError):
        return _Ending("timeout", False if had_a_chance else None, BucketAway(UNREACHABLE), "timeout")
    if isinstance(error, FileNotFoundError) and code != NoSuchBucket.__name__:
        return _Ending("refused", succeeded=True, problem=NotFound())
    refusal = _refusal(error, code)
    if refusal is None:
        return _Ending("failed", succeeded=False, problem=BucketAway(UNREACHABLE), reason=code or type(error).__name__)
    return _Ending("refused", succeeded=True, problem=refusal(UNREACHABLE), reason=code or refusal.__name__)


def _refusal(error: BaseError | OSError, code: str) -> type[BucketRefuses] | None:
    """Why the store, which is well, does not do it; None where it is not well."""
    status = _found(_STATUS, error)
    if code == NoSuchBucket.__name__:
        return NoSuchBucket
    if _WHERE_ROLES_ARE_ASKED_FOR in str(error):
        return NoCredentials
    if status in {"401", "403"}:
        return AccessDenied
    return BucketRefuses if status.startswith("4") else None


def _found(what: re.Pattern[str], error: Exception) -> str:
    found = what.search(str(error))
    return found[1] if found else ""
