"""Importing an archive: what is known of it while it goes on and when it has ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

ArchiveKind: TypeAlias = Literal["files", "strava", "garmin", "takeout"]
State: TypeAlias = Literal["waiting", "running", "done", "stopped", "failed"]
Outcome: TypeAlias = Literal["added", "duplicates", "skipped", "failed"]
ENDED: tuple[State, ...] = ("done", "stopped", "failed")

MOST_REASONS = 1000
KEPT_FOR = timedelta(days=90)  # after its end


class Failure(Struct, frozen=True):
    """A file that was not imported, and why, in words for its owner."""

    name: str
    reason: str


class Import(Struct, frozen=True, kw_only=True):
    """An import. Of `total` files `done` are done with: added, duplicates, skipped (of a kind that is no activity) or failed.

    A file counts as added where one of the activities in it was new. `failed` are the first `MOST_REASONS` of all
    `failures`. `reason` is why the import as a whole failed.
    """

    id: str
    owner: str
    version: int
    state: State
    kind: ArchiveKind
    total: int
    created_at: datetime
    updated_at: datetime
    done: int = 0
    added: int = 0
    duplicates: int = 0
    skipped: int = 0
    failures: int = 0
    failed: tuple[Failure, ...] = ()
    reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED
