"""Gear: what wears out while its owner moves, and what each activity adds to its way.

Amounts are whole millimetres, so that adding and taking away cancel exactly, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from services.activities.domain.local_time import kept
from services.activities.domain.plain_text import one_line_in
from services.activities.domain.sports import Sport
from services.chassis.problems import Invalid

MOST = 200  # of one runner

Kind = Annotated[
    str,
    Meta(
        pattern="^[a-z][a-z_-]{0,29}$",
        description="`shoes`, `bike`, or a word of one's own",
        examples=["shoes", "bike"],
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
RetireAt = Annotated[float, Meta(gt=0, le=10_000_000_000, description="It is retired once it has come so far")]
DefaultFor = Annotated[tuple[Sport, ...], Meta(max_length=20, description="New activities of these sports get it")]


class Gear(Struct, frozen=True, kw_only=True):
    """A pair of shoes, a bike. `withdrawn` is what its owner says; `retired` also what its way says."""

    id: str
    owner: str
    version: int
    kind: str
    name: str
    created_at: datetime
    updated_at: datetime
    distance_mm: int = 0
    activities: int = 0
    retire_at_m: float | None = None
    withdrawn: bool = False
    default_for: tuple[Sport, ...] = ()

    @property
    def distance_m(self) -> float:
        """How far it has come."""
        return self.distance_mm / 1000

    @property
    def worn_out(self) -> bool:
        """Whether it has come as far as it was to come."""
        return self.retire_at_m is not None and self.distance_m >= self.retire_at_m

    @property
    def retired(self) -> bool:
        """Whether nothing gets it by itself any more."""
        return self.withdrawn or self.worn_out


class NewGear(Struct, frozen=True, forbid_unknown_fields=True):
    """Gear as its owner describes it."""

    kind: Kind
    name: Name
    retire_at_m: RetireAt | None = None
    retired: bool | None = None
    default_for: DefaultFor | Sport | None = None


class GearChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    kind: Kind | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    retire_at_m: RetireAt | UnsetType | None = UNSET
    retired: bool | UnsetType = UNSET
    default_for: DefaultFor | Sport | UnsetType | None = UNSET


class Wearer(Protocol):
    """What wears out gear: an activity, or as much of one."""

    @property
    def gear_id(self) -> str | None:
        """With which piece it was done."""

    @property
    def distance_m(self) -> float:
        """How far it went."""


class Wear(Struct, frozen=True):
    """As much of an activity as wears out gear."""

    distance_m: float
    gear_id: str | None = None


class Worn(Struct, frozen=True):
    """What activities add to a piece of gear."""

    distance_mm: int = 0
    activities: int = 0

    def __add__(self, other: Worn) -> Worn:
        return Worn(self.distance_mm + other.distance_mm, self.activities + other.activities)

    def __neg__(self) -> Worn:
        return Worn(-self.distance_mm, -self.activities)


def made(new: NewGear, *, owner: str, gear_id: str, now: datetime) -> Gear:
    """New gear. Raises `Invalid` for a blank name."""
    return Gear(
        id=gear_id,
        owner=owner,
        version=1,
        kind=new.kind,
        name=one_line_in("name", new.name),
        created_at=kept(now),
        updated_at=kept(now),
        retire_at_m=new.retire_at_m,
        withdrawn=bool(new.retired),
        default_for=_sports(new.default_for),
    )


def changed(gear: Gear, change: GearChange, now: datetime) -> Gear:
    """The gear after a change; the same where nothing is different. Raises `Invalid` where it can't be so."""
    values: dict[str, Any] = {
        name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not UNSET
    }
    if "name" in values:
        values["name"] = one_line_in("name", values["name"])
    if "default_for" in values:
        values["default_for"] = _sports(values["default_for"])
    wanted = values.pop("retired", gear.withdrawn)
    after = msgspec.structs.replace(gear, **values, withdrawn=wanted)
    if change.retired is False and after.worn_out:
        raise Invalid.field("retired", "It has come as far as it was to come: raise retire_at_m, or set it to null")
    return after if after == gear else msgspec.structs.replace(after, version=gear.version + 1, updated_at=kept(now))


def worn(removed: Iterable[Wearer], added: Iterable[Wearer]) -> dict[str, Worn]:
    """What a change of activities adds to each piece of gear, by its id; those that it leaves alone are not there."""
    changes: dict[str, Worn] = {}
    for activities, sign in ((removed, -1), (added, 1)):
        for activity in activities:
            if activity.gear_id is not None:
                one = Worn(round(activity.distance_m * 1000), 1)
                changes[activity.gear_id] = changes.get(activity.gear_id, Worn()) + (one if sign > 0 else -one)
    return {gear_id: change for gear_id, change in changes.items() if change != Worn()}


def default_of(shelf: Iterable[Gear], sport: Sport) -> str | None:
    """The id of what a new activity of this sport gets."""
    return next((gear.id for gear in shelf if sport in gear.default_for and not gear.retired), None)


def _sports(given: tuple[Sport, ...] | Sport | None) -> tuple[Sport, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(sorted(set(given)))
