"""The sports that are told apart, and what is plausible in each."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from msgspec import Struct

Sport: TypeAlias = Literal[
    "running",
    "walking",
    "hiking",
    "cycling",
    "swimming",
    "rowing",
    "paddling",
    "skiing",
    "skating",
    "fitness",
    "transition",
    "other",
]
SPORTS: tuple[Sport, ...] = get_args(Sport)


class Traits(Struct, frozen=True):
    """What is plausible in a sport: nobody is faster than `fastest_mps`; slower than `standing_mps` is standing still.

    `on_foot` says that a device counts the steps of one leg, so that its cadence is half the steps per minute.
    """

    fastest_mps: float
    standing_mps: float
    on_foot: bool = False


# The fastest are world records with a margin: 12.4 m/s is the peak of Bolt's 100 m in 2009.
_ON_FOOT = Traits(fastest_mps=12.5, standing_mps=0.4, on_foot=True)
_TRAITS: dict[Sport, Traits] = {
    "running": _ON_FOOT,
    "walking": _ON_FOOT,
    "hiking": Traits(fastest_mps=12.5, standing_mps=0.2, on_foot=True),
    "transition": _ON_FOOT,
    "cycling": Traits(fastest_mps=35.0, standing_mps=0.6),
    "swimming": Traits(fastest_mps=4.0, standing_mps=0.1),
    "rowing": Traits(fastest_mps=10.0, standing_mps=0.3),
    "paddling": Traits(fastest_mps=12.0, standing_mps=0.2),
    "skiing": Traits(fastest_mps=60.0, standing_mps=0.4),
    "skating": Traits(fastest_mps=25.0, standing_mps=0.5),
}
_ANY = Traits(fastest_mps=120.0, standing_mps=0.3)

RUNNING_MPS = 7.5  # the fastest mile is 7.2 m/s; only sprints are faster, and those are short


def traits_of(sport: Sport | None) -> Traits:
    """What is plausible in this sport; in one that is not known, anything that is not flying."""
    return _TRAITS.get(sport, _ANY) if sport else _ANY


def guessed(usual_top_mps: float) -> Sport:
    """The sport of a file that names none: a run, as we are a runners' site, unless it was faster than people run."""
    return "running" if usual_top_mps <= RUNNING_MPS else "other"
