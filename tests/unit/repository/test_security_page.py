"""The page on security names tests, and they are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
WHY_NOT = "Why not: "
# What ASVS 5.0 asks at levels 1 and 2, by chapter and section: the last number of each.
ASKED = {
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
    "9.1": 3,
    "9.2": 4,
    "10.1": 2,
    "10.2": 2,
    "10.3": 4,
    "10.4": 11,
    "10.5": 5,
    "10.6": 2,
    "10.7": 3,
    "11.1": 2,
    "11.2": 3,
    "11.3": 3,
    "11.4": 4,
    "11.5": 1,
    "11.6": 1,
}


def functions_in(path: Path) -> set[str]:
    """The names of the tests in a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, functions)}


def test_every_test_named_is_there() -> None:
    """A promise whose test was renamed or removed is found here."""
    named = NAMED.findall((ROOT / "docs" / "security.md").read_text())
    assert len(named) > 30
    missing = [
        f"{file}::{name}"
        for file, name in sorted(set(named))
        if not (ROOT / "tests" / file).exists() or name not in functions_in(ROOT / "tests" / file)
    ]
    assert missing == []


def test_every_point_names_one() -> None:
    """A line with nothing to show, and no reason for that, is no point."""
    page = (ROOT / "docs" / "security.md").read_text()
    tables = [table.splitlines() for table in re.findall(r"^.* \| shown by\n(?:.+\n?)+", page, re.MULTILINE)]
    rows = [row for _, _, *rows in tables for row in rows]
    assert len(rows) > 120
    assert [row for row in rows if not NAMED.search(row) and f" | {WHY_NOT}" not in row] == []


def test_every_requirement_of_asvs_has_its_line() -> None:
    """Levels 1 and 2 of the chapters on authentication, sessions, authorization, tokens, OAuth and cryptography."""
    lines = re.findall(r"^(\d+\.\d+\.\d+) \| ", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)
    asked = [f"{section}.{number}" for section, last in ASKED.items() for number in range(1, last + 1)]
    assert lines == asked
