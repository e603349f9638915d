"""What holds for every file that is tracked, and for the pages that list others."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NOT_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
# Written backwards, or this file would be found.
REGISTRIES = [
    name[::-1]
    for name in (
        "detsohnohtyp",
        "s/gro.ipyp",
        "naibed.bed",
        "naibed.ytiruces",
        "sjmpn.yrtsiger",
        "/oi.rekcod",
        "/oi.rchg",
        "/oi.yauq",
        "oi.setarc",
    )
]
WORKPLACES = re.compile(r"(?<![\w.}])/(?:work|home/\w+|Users/\w+|root)/")


def tracked() -> list[Path]:
    """Every text file that git knows here, or would know after `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink() and is_text(path)]


def is_text(path: Path) -> bool:
    """Git's own rule: no zero byte at the start."""
    return b"\0" not in path.read_bytes()[:8000]


def modules() -> list[Path]:
    """Every Python module of the program, its scripts and its tests."""
    return [path for path in tracked() if path.suffix == ".py"]


def test_no_file_names_a_registry() -> None:
    """Whoever builds this says where packages come from: their pip, apt and engine know."""
    found = [
        f"{path.relative_to(ROOT)}: {registry}"
        for path in tracked()
        for registry in REGISTRIES
        if registry in path.read_text(errors="replace")
    ]
    assert found == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    """Paths are relative to the checkout, or settings."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        if path.name != "LICENSE"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if WORKPLACES.search(line)
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    """A docstring opens each module; an empty `__init__.py` of tests is let off."""
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if (source := path.read_text()).strip() and not ast.get_docstring(ast.parse(source))
    ]
    assert silent == []


def test_no_module_is_a_drawer() -> None:
    """A name like these says that nobody knew what the module is about."""
    drawers = [str(path.relative_to(ROOT)) for path in modules() if NOT_NAMES & {path.stem, path.parent.name}]
    assert drawers == []


def test_the_menu_lists_every_target() -> None:
    """`make` alone prints all there is."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))
    listed = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert {name for line in targets for name in line.split()} == listed
    assert set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE)) == listed


def test_decisions_are_numbered_in_a_row() -> None:
    """The index takes them all by their numbers, so each number is there once."""
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))]
    assert len(numbers) == len(set(numbers))
    assert numbers[0] == 1
