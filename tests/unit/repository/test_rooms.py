"""What import-linter can't say about the rooms of a service."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
ALLOWED_IN_DOMAIN = sys.stdlib_module_names | {"numpy", "msgspec"}


def domain_modules() -> list[Path]:
    """Every module of every service's domain."""
    services = ROOT / "services"
    return [*services.glob("*/domain/**/*.py"), *services.glob("*/domain.py")]


def imports(path: Path) -> Iterator[str]:
    """The dotted names a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def may_be_in_a_domain(name: str, service: str) -> bool:
    """Standard library, numpy, msgspec, the problems that rules raise, and the rest of the same domain."""
    if name.partition(".")[0] in ALLOWED_IN_DOMAIN or name == "services.chassis.problems":
        return True
    return name.startswith(f"services.{service}.domain")


def test_a_domain_stands_on_almost_nothing() -> None:
    """Rules can be read, tested and moved without the rest."""
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in domain_modules()
        for name in imports(path)
        if not may_be_in_a_domain(name, path.relative_to(ROOT / "services").parts[0])
    ]
    assert found == []


def test_a_domain_rule_awaits_nothing() -> None:
    """Domain code is synchronous and pure."""
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in domain_modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, waiting)
    ]
    assert found == []
