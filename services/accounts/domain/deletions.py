"""A deletion: everything that any service holds of a person goes, however long it takes, and there is a receipt of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct


class Stage(StrEnum):
    """How far it is. `SWEEPING`: all have confirmed; what was just under way then may have left something behind."""

    ERASING = "erasing"
    SWEEPING = "sweeping"
    DONE = "done"


class Person(Struct, frozen=True):
    """Who is to be deleted, and where the receipt goes; `email` is None once it has gone out."""

    sub: str
    email: str | None
    locale: str


class KeptBy(Struct, frozen=True):
    """What a service must keep by law, without saying whose it was."""

    service: str
    what: str
    why: str
    until: date | None


class Deletion(Struct, frozen=True):
    """One deletion. `sealed` is the `Person`, and None at the end; `confirmed` says when each service had erased all."""

    id: str
    sealed: bytes | None
    requested_at: datetime
    stage: Stage = Stage.ERASING
    due_at: datetime | None = None
    confirmed: Mapping[str, datetime] = {}
    swept: Mapping[str, datetime] = {}
    kept: Mapping[str, Sequence[KeptBy]] = {}
    failures: int = 0
    told_at: datetime | None = None
    finished_at: datetime | None = None

    def waits_for(self, services: Sequence[str]) -> tuple[str, ...]:
        """Those of the services that have not confirmed at this stage."""
        have = self.confirmed if self.stage is Stage.ERASING else self.swept
        return tuple(service for service in services if service not in have)


def bound_to(deletion_id: str) -> str:
    """What the person of a deletion is sealed for."""
    return f"deletion:{deletion_id}"
