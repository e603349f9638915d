"""How many come, and when. Chosen by name: `RUNNERLY_LOAD_SHAPE=race_monday make load`."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from locust import LoadTestShape


class Stage(NamedTuple):
    """Until so many seconds after the start, this many users, coming (or leaving) at this rate a second."""

    until_s: int
    users: int
    rate: float


SHAPES: dict[str, tuple[Stage, ...]] = {
    # Up in steps, to find where it bends.
    "stairs": tuple(Stage(60 * step, 20 * step, 2) for step in range(1, 11)),
    # The morning after a race: everybody uploads at once, and then it is quiet again.
    "race_monday": (Stage(60, 20, 1), Stage(180, 150, 5), Stage(300, 40, 5)),
    # A working day in half an hour.
    "day": (Stage(300, 20, 1), Stage(600, 60, 1), Stage(1200, 40, 1), Stage(1500, 80, 1), Stage(1800, 20, 2)),
    # The same for long, to find what leaks.
    "soak": (Stage(4 * 3600, 30, 1),),
}


class StagedShape(LoadTestShape):
    """Goes through its stages and ends."""

    abstract = True
    stages: ClassVar[tuple[Stage, ...]] = ()

    def tick(self) -> tuple[int, float] | None:
        """Users and rate at this moment; None ends the test."""
        for stage in self.stages:
            if self.get_run_time() < stage.until_s:
                return stage.users, stage.rate
        return None
