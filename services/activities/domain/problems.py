"""What can be wrong with an activity."""

from __future__ import annotations

from services.chassis.problems import Conflict, FieldError, Invalid


class NotAnActivity(Invalid):
    """The file holds no activity that we can read; the detail says why, in words for its owner."""

    kind = "not-an-activity"
    title = "This file holds no activity"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, errors=(FieldError("file", detail or self.title),))


class AnotherKindOfFile(NotAnActivity):
    """The file is sound, and of a kind that never holds an activity: settings, a course, the steps of a day."""


class NotAnArchive(Invalid):
    """The file is no archive that we can read; the detail says why, in words for its owner."""

    kind = "not-an-archive"
    title = "This file is no archive that we can read"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, errors=(FieldError("file", detail or self.title),))


class RemovedHere(Conflict):
    """The runner had this run of Strava's, and removed it: it does not come back by itself."""

    kind = "removed-here"
    title = "This was removed here"


class DuplicateActivity(Conflict):
    """The runner has this activity already: the same bytes, or the same start and distance."""

    kind = "duplicate-activity"
    title = "You have this activity already"

    @classmethod
    def of(cls, existing: str) -> DuplicateActivity:
        """The problem of being the same as the activity with this id."""
        return cls(existing={"id": existing})
