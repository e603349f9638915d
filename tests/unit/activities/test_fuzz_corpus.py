"""What fuzzing found once stays found: every kept file goes through its targets, and each of these refuses or reads it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import CORPUS, TARGETS

SLOWEST_S = 2.0  # thousands of times what one takes, on a machine that others use too
MOST_BYTES = 300_000

KEPT = [pytest.param(name, path, id=f"{name}-{path.name}") for name, target in TARGETS.items() for path in target.kept]


@pytest.mark.parametrize(("name", "path"), KEPT)
def test_a_kept_file_is_read_or_refused(name: str, path: Path) -> None:
    begin = time.process_time()
    TARGETS[name].read(path.read_bytes())
    assert time.process_time() - begin < SLOWEST_S


def test_every_seed_is_there() -> None:
    """`python -m tests.fuzz.seeds` writes them; their bytes depend on the day, and on who compressed them."""
    kept = {f"{path.parent.name}/{path.name}" for path in CORPUS.glob("*/seed-*")}
    assert kept == {f"{folder}/seed-{name}" for folder, seeds in SEEDS.items() for name, _ in seeds}


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MOST_BYTES
