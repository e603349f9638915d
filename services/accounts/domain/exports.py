"""An export: all that every service holds of a person, on its way to one archive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from services.chassis.problems import TooMany

GIVE_UP_AFTER = timedelta(days=3)


class State(StrEnum):
    """How far it is; the last two are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class StoredFile(Struct, frozen=True):
    """A file that was put away: where, how large, and its digest."""

    place: str
    size: int
    sha256: str


class Export(Struct, frozen=True):
    """One person's export. `parts` are what services gave so far, `archive` is the end of it; `due_at` is None at the end."""

    id: str
    sub: str
    created_at: datetime
    state: State = State.WAITING
    due_at: datetime | None = None
    parts: Mapping[str, StoredFile] = {}
    failures: int = 0
    archive: StoredFile | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None


class TooManyExports(TooMany):
    """An export is much work; somebody asks for it again and again."""

    kind = "too-many-exports"
    title = "You have asked for enough exports for now"


class ServiceTold(Struct, frozen=True):
    """A service's part of an archive."""

    name: str
    files: int
    bytes: int


class FileTold(Struct, frozen=True):
    """One file of an archive."""

    path: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What an archive is, and all that is in it but itself."""

    format: str
    version: int
    made_at: datetime
    services: tuple[ServiceTold, ...]
    files: tuple[FileTold, ...]
