"""Measure both in turn, and print the table: `python -m tests.bench.side_by_side [--activities 10000] [--native PATH]`."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tests.bench.side_by_side.fittrackee import FitTrackee
from tests.bench.side_by_side.load import Measure, memory_mib, read, upload
from tests.bench.side_by_side.runnerly import Runnerly
from tests.bench.side_by_side.runs import as_fit, as_gpx

WORKERS = 2
TARGETS = {"list": 25, "statistics": 25, "one": 20, "streams": 15, "gpx uploads": 15, "fit uploads": 30}
PAGES = ("list", "statistics", "one", "streams")
SEED_UPLOADS = 24
UPLOADS = {"FitTrackee": 24, "Runnerly": 120}
Side = Runnerly | FitTrackee


@click.command()
@click.option("--activities", default=10_000, show_default=True, help="How many activities each side holds.")
@click.option("--rounds", default=3, show_default=True, help="How often each is measured, in turn.")
@click.option("--seconds", default=8, show_default=True, help="How long each page is asked for.")
@click.option(
    "--native", default=shutil.which("secantusd-rs"), help="The native database's program; else the embedded."
)
@click.option(
    "--venv", default=".tox/fittrackee", show_default=True, help="Where FitTrackee is, or will be, installed."
)
@click.option("--made", is_flag=True, help="Let Runnerly keep no replies: each page is made each time, as at first.")
def main(*, activities: int, rounds: int, seconds: int, native: str | None, venv: str, made: bool) -> None:
    """Measure Runnerly and FitTrackee side by side."""
    measured: dict[str, dict[str, list[Measure]]] = {}
    with tempfile.TemporaryDirectory(prefix="runnerly-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user goes through here
        ours = Runnerly(Path(folder) / "runnerly", workers=WORKERS, native=native, keeps=not made)
        theirs = FitTrackee(Path(folder) / "fittrackee", Path(venv).absolute(), workers=WORKERS)
        numbers = iter(range(1, 1_000_000))
        with running(theirs), running(ours):
            sides: tuple[Side, Side] = (theirs, ours)
            for side in sides:
                prepare(side, activities, numbers)
            for name in TARGETS:
                measure = of(name, seconds, numbers)
                measured[name] = {side.name: [] for side in sides}
                for side in sides * rounds:
                    found = measure(side)
                    measured[name][side.name].append(found)
                    print(f"  {name:12} {side.name:11} {found}", flush=True)
            memory = {side.name: memory_mib(side.roots()) for side in sides}
    how = "each page made each time" if made else "pages kept until something changes"
    print(
        f"\n{activities} activities, {WORKERS} workers each, ours on {ours.database_name}, {how}; medians, and their ratio"
    )
    sys.exit(report(measured, memory))


@contextmanager
def running(side: Side) -> Iterator[None]:
    """One side, started, and ended whatever happens."""
    try:
        side.start()
        yield
    finally:
        side.stop()


def prepare(side: Side, activities: int, numbers: Iterator[int]) -> None:
    """Fill one side: some real files, the rest summaries only."""
    side.signed_in()
    files = [(f"{number}.gpx", as_gpx(number)) for _, number in zip(range(SEED_UPLOADS), numbers, strict=False)]
    upload(side, files, at_once=1)  # FitTrackee answers 500 where two uploads set the same record
    side.fill(activities - SEED_UPLOADS)
    side.look()


def of(name: str, seconds: int, numbers: Iterator[int]) -> Callable[[Side], Measure]:
    """How one line of the table is measured."""
    if name in PAGES:
        return lambda side: read(side, name, seconds=seconds)
    kind = name.partition(" ")[0]
    write = {"gpx": as_gpx, "fit": as_fit}[kind]

    def uploads(side: Side) -> Measure:
        files = [(f"{n}.{kind}", write(n)) for _, n in zip(range(UPLOADS[side.name]), numbers, strict=False)]
        side.signed_in()
        return upload(side, files)

    return uploads


def report(measured: dict[str, dict[str, list[Measure]]], memory: dict[str, float]) -> int:
    """Print the table; 1 where a target is missed."""
    missed = 0
    print(f"{'':12} {'FitTrackee':>12} {'Runnerly':>12} {'ratio':>8} {'target':>7} {'p99 theirs':>11} {'p99 ours':>9}")
    for name, found in measured.items():
        rates = {side: statistics.median(one.rate for one in all_of) for side, all_of in found.items()}
        p99 = {side: statistics.median(one.p99_ms for one in all_of) for side, all_of in found.items()}
        ratio = rates["Runnerly"] / rates["FitTrackee"]
        missed += ratio < TARGETS[name] or p99["Runnerly"] > p99["FitTrackee"]
        print(
            f"{name:12} {rates['FitTrackee']:10.1f}/s {rates['Runnerly']:10.1f}/s {ratio:7.1f}x {TARGETS[name]:6}x "
            f"{p99['FitTrackee']:9.0f}ms {p99['Runnerly']:7.0f}ms"
        )
    share = memory["Runnerly"] / memory["FitTrackee"]
    missed += share > 0.5
    print(f"memory       {memory['FitTrackee']:9.0f}MiB {memory['Runnerly']:9.0f}MiB {share:7.0%}    50%")
    return 1 if missed else 0


if __name__ == "__main__":
    main()
