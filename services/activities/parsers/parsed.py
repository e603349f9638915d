"""What a worker hands back of a file: values and bytes, ready to be kept."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from services.activities.domain.activity import Activity, Summary
from services.activities.domain.efforts import Effort
from services.activities.domain.heart_rates import HeartRates
from services.activities.domain.recording import Origin
from services.activities.domain.segments import Segment


class ParsedActivity(Struct, frozen=True):
    """One session of a file. `streams` are packed; None where the file has totals only."""

    summary: Summary
    points: int = 0
    streams: bytes | None = None
    laps: tuple[Segment, ...] = ()
    splits: Mapping[str, tuple[Segment, ...]] = {}
    best_efforts: tuple[Effort, ...] = ()
    heart_rates: HeartRates | None = None


class Reading(Struct, frozen=True):
    """One session of a file, with the digest of the file's bytes."""

    sha256: str
    activity: ParsedActivity

    def is_of(self, activity: Activity) -> bool:
        """Whether this is what that activity's numbers are to be made of: of the same bytes, read as of the same sport."""
        return self.sha256 == activity.source.sha256 and self.activity.summary.sport == activity.sport


class ParsedFile(Struct, frozen=True):
    """A whole file: the digest of its bytes as they were sent, those bytes by zstd, and each session in it."""

    format: Origin
    sha256: str
    original: bytes
    activities: tuple[ParsedActivity, ...]

    def session(self, place: int) -> Reading | None:
        """What is in the file at this place; None where there is nothing any more."""
        return Reading(self.sha256, self.activities[place]) if place < len(self.activities) else None
