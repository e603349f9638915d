"""The audit trail: privileged acts in a row, each sealed together with the seal of the one before it.

A seal takes a key that is not in the database. So whoever can write there, and nothing else, can't change an entry, put one
in, or take one out from the middle without its being seen. The oldest entries expire; the first that is left is where the row
begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec
from msgspec import Struct

FIRST = "0" * 64


class Party(Struct, frozen=True):
    """Who did something, or what it was done to. A person is known by `key` alone, a keyed hash; a thing has its `id`."""

    kind: str
    key: str = ""
    id: str | None = None


class Entry(Struct, frozen=True):
    """One act in the trail. `at` is when it was done, `recorded_at` when it came here: those of other services come later."""

    number: int
    id: str
    at: datetime
    recorded_at: datetime
    expires_at: datetime
    service: str
    action: str
    actor: Party
    subject: Party | None
    details: dict[str, str]
    previous: str = FIRST
    previous_expires_at: datetime | None = None
    seal: str = ""


class Head(Struct, frozen=True):
    """The last entry: where the trail goes on."""

    number: int = 0
    seal: str = FIRST
    expires_at: datetime | None = None


class Wanted(Struct, frozen=True):
    """Which entries: of an actor, about a subject (both by their keys), of a kind, done between two moments."""

    actor: str | None = None
    subject: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


Mac = Callable[[str], str]


def sealed(entry: Entry, mac: Mac) -> Entry:
    """The entry with its seal."""
    plain = msgspec.structs.replace(entry, seal="", details=dict(sorted(entry.details.items())))
    return msgspec.structs.replace(plain, seal=mac(msgspec.json.encode(plain).decode()))


def faults(entries: Iterable[Entry], head: Head, mac: Mac, now: datetime) -> Iterator[str]:
    """What is wrong with a trail, in sentences; nothing where it is whole. Entries are in the order of their numbers."""
    before: Entry | None = None
    for entry in entries:
        if sealed(entry, mac).seal != entry.seal:
            yield f"Entry {entry.number} is not what was written"
        if before is None and not _is_over(entry.previous_expires_at, now):
            yield f"The entry before {entry.number} is missing, and had not expired"
        elif before is not None and entry.number != before.number + 1:
            yield f"After entry {before.number} comes {entry.number}"
        elif before is not None and entry.previous != before.seal:
            yield f"Entry {entry.number} does not follow the entry {before.number} that is here"
        before = entry
    if before is None and not _is_over(head.expires_at, now):
        yield f"No entry is left, and {head.number} were written"
    elif before is not None and (before.number, before.seal) != (head.number, head.seal):
        yield f"The last entry is {before.number}, and {head.number} were written"


def _is_over(expires_at: datetime | None, now: datetime) -> bool:
    """Whether what may be missing by now may be missing."""
    return expires_at is None or expires_at <= now
