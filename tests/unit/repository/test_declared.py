"""What the code imports is declared, and what the tests have is run."""

import ast
import configparser
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
OURS = {"deploy", "services", "tests", "scripts", "loadtests"}
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())
NOT_SUITES = {"support", "__pycache__", "data", "bench", "fuzz"}  # `make bench` and `make fuzz` are no tests


def declared(*groups: str) -> set[str]:
    """The packages that the program asks for, and those of the named dependency groups."""
    project = DECLARED["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    asked += [each for group in groups for each in DECLARED["dependency-groups"][group] if isinstance(each, str)]
    return {canonicalize_name(Requirement(each).name) for each in asked}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Where something from outside is imported under a folder, and the top-level name of it."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += packages_by_name(node)
            for top in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - OURS:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", top


def packages_by_name(node: ast.AST) -> list[str]:
    """The package whose files are asked for: `importlib.resources.files("package")`."""
    match node:
        case ast.Call(func=ast.Name(id="files"), args=[ast.Constant(value=str(name))]):
            return [name]
    return []


@pytest.mark.parametrize(
    ("folder", "groups"),
    [("services", ()), ("tests", ("test", "fuzz")), ("loadtests", ("load",)), ("scripts", ("lint",))],
)
def test_what_is_imported_is_declared(folder: str, groups: tuple[str, ...]) -> None:
    """A package that is only there because another needs it goes when that one changes its mind."""
    providers, known = packages_distributions(), declared(*groups)
    undeclared = [
        f"{where} imports {name}"
        for where, name in imported(folder)
        # one that is not for this machine provides itself
        if not known & {canonicalize_name(provider) for provider in providers.get(name, [name])}
    ]
    assert undeclared == []


def test_every_suite_is_run() -> None:
    """A folder of tests is a step of `make test`."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    steps = {step.strip() for step in tox["tox"]["env_list"].split(",")}
    suites = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - NOT_SUITES
    assert suites <= steps
