"""Importing a file: read it in a worker process, put the original away, keep what is in it."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PureWindowsPath

import msgspec

from services.activities.domain.activity import Activity, Source
from services.activities.domain.local_time import kept
from services.activities.domain.problems import DuplicateActivity, NotAnActivity
from services.activities.parsers.parsed import ParsedFile
from services.activities.parsers.pool import ParserPool
from services.activities.store.activities import ActivityStore
from services.activities.store.arrivals import NewActivity
from services.activities.store.originals import Originals
from services.chassis.idempotency import Once
from services.chassis.intake import Upload
from services.chassis.logs import Logger
from services.chassis.metrics import Metrics
from services.chassis.problems import Problem

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class ImportFile:
    """Make activities of a file."""

    parsers: ParserPool
    originals: Originals
    store: ActivityStore
    new_id: Callable[[], str]
    clock: Callable[[], datetime]
    log: Logger
    metrics: Metrics

    async def __call__(self, owner: str, upload: Upload, once: Once[tuple[Activity, ...]]) -> tuple[Activity, ...]:
        """The activities that were new: one, or one a sport of a multi-sport file.

        Raises `NotAnActivity`, and `DuplicateActivity` where the runner has everything in it already.
        """
        begin = time.perf_counter()
        try:
            parsed = of_a_file(await self.parsers.parse(upload.content))
            new = new_activities(owner, upload.filename, parsed, self.new_id, self.clock())
            if not self.originals.goes_along(parsed.original):
                await self.store.refuse_duplicates(owner, new)
            original = await self.originals.put_away(owner, parsed.sha256, parsed.original)
            activities = await self.store.add(owner, new, original, once)
        except (NotAnActivity, DuplicateActivity) as refusal:
            self._tell_refused(refusal, upload)
            raise
        ms = (time.perf_counter() - begin) * 1000
        self.metrics.timing("activities.imported", ms, format=parsed.format)
        for one in new:
            self.log.info(
                "activity.imported",
                activity_id=one.activity.id,
                format=parsed.format,
                points=one.parsed.points if one.parsed else 0,
                bytes=len(upload.content),
                ms=round(ms),
            )
        return activities

    def _tell_refused(self, refusal: Problem, upload: Upload) -> None:
        self.metrics.incr("activities.refused", reason=refusal.kind)
        self.log.info("activity.refused", reason=refusal.detail, bytes=len(upload.content))


def of_a_file(parsed: ParsedFile) -> ParsedFile:
    """What is in a file. Raises `NotAnActivity` for what Strava tells, which comes by no upload."""
    if parsed.format == "strava":
        raise NotAnActivity("This is what Strava told of a run, which is in a takeout and can't be uploaded")
    return parsed


def new_activities(
    owner: str, filename: str, parsed: ParsedFile, new_id: Callable[[], str], now: datetime
) -> list[NewActivity]:
    """What is in a file, or in what Strava told, as activities of a runner, one a session."""
    source = (
        Source("strava", sha256=parsed.sha256)
        if parsed.format == "strava"
        else Source("file", name=plain_name(filename), format=parsed.format, sha256=parsed.sha256)
    )
    now = kept(now)
    return [
        NewActivity(
            Activity(
                **msgspec.structs.asdict(one.summary),
                id=new_id(),
                owner=owner,
                version=1,
                source=source,
                session=session,
                created_at=now,
                updated_at=now,
            ),
            one,
        )
        for session, one in enumerate(parsed.activities)
    ]


def plain_name(filename: str) -> str | None:
    """A file's name without folders and control characters, bounded; None where there is none."""
    name = PureWindowsPath(filename).name  # knows both kinds of slashes
    printable = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    return printable.strip()[-LONGEST_NAME:] if printable.strip(" .") else None
