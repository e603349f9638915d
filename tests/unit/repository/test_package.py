"""The package: everything that the program reads at run time is in the wheel."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of this tree, without a network."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "services", copy / "services", ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": ""}
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True, env=environment)
    (built,) = (copy / "dist").glob("*.whl")
    return set(zipfile.ZipFile(built).namelist())


def test_the_wheel_has_every_file_of_the_program(wheel: set[str]) -> None:
    """Pages, templates and catalogues travel with the code."""
    ours = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "services").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours - wheel == set()


def test_the_wheel_has_nothing_else(wheel: set[str]) -> None:
    """Tests, deployment and the book stay in the repository."""
    assert {name.partition("/")[0].partition("-")[0] for name in wheel} == {"services", "runnerly"}
