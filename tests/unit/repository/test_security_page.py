"""The page on security names tests, and they are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


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
    """A line of a table with nothing to show is no point."""
    rows = [line for line in (ROOT / "docs" / "security.md").read_text().splitlines() if line.count(" | ") == 2]
    empty = [row for row in rows if "shown by" not in row and "---" not in row and not NAMED.search(row)]
    assert empty == []
