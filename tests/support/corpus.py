"""Real files from many devices, kept outside the project: they are people's tracks.

Run as a program with files as arguments it tells, a line of JSON each, what comes of reading them and what it costs.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import msgspec
import pytest

from services.activities.domain.problems import NotAnActivity
from services.activities.reading import read_and_analyse
from tests.support.missing import no_data

ROOT = Path(__file__).parents[2]
_NO_ACTIVITY = {"MANIFEST.tsv", "README.md"}


def corpus_folder() -> Path:
    """Where the files are: `RUNNERLY_CORPUS`, by default beside the project."""
    return (ROOT / os.environ.get("RUNNERLY_CORPUS", "../shared/data/activities")).resolve()


def corpus_files() -> list[Path]:
    """Every activity file there is, in order; none where there is no corpus."""
    folder = corpus_folder()
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if path.name not in _NO_ACTIVITY and path.suffix != ".txt")


def corpus_file(config: pytest.Config, name: str) -> Path:
    """One file of it; the test is skipped, loudly, where it is absent."""
    path = corpus_folder() / name
    if not path.is_file():
        no_data(config, "the corpus of real activity files: set RUNNERLY_CORPUS to its folder")
    return path


class Outcome(msgspec.Struct):
    """What came of one file: an activity for each sport in it, or the reason why there is none."""

    activities: list[tuple[str, float, float]] = []
    refused: str | None = None
    seconds: float = 0.0
    peak_mb: int = 0


def outcome(path: Path) -> Outcome:
    """Read a file in this process. Only for a process of its own: the peak is the process's."""
    content = path.read_bytes()
    start = time.process_time()
    made = Outcome()
    try:
        summaries = [analysis.summary for analysis in read_and_analyse(content)]
        made.activities = [(one.sport, one.distance_m, one.elapsed_s) for one in summaries]
    except NotAnActivity as refused:
        made.refused = refused.detail
    made.seconds = time.process_time() - start
    made.peak_mb = peak_mb()
    return made


def peak_mb() -> int:
    """The most memory this program has had. `ru_maxrss` is no use: it counts what the one that started us had then."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        sys.stdout.write(msgspec.json.encode(outcome(Path(argument))).decode() + "\n")
