"""The passwords that attackers try first: 30,000 of breaches, as the package `zxcvbn` has them."""

from __future__ import annotations

from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import module_from_spec

PACKAGE, LISTS = "zxcvbn", "frequency_lists"


def read_blocked_passwords() -> frozenset[str]:
    """All of them, in lower case. Read when it is called.

    The package itself is not imported: it would make tables for its own use of all lists, and keep them.
    """
    package = PathFinder.find_spec(PACKAGE)
    found = PathFinder.find_spec(LISTS, package.submodule_search_locations if package else None)
    if found is None or not isinstance(found.loader, SourceFileLoader):
        raise ImportError(f"The package {PACKAGE} has no {LISTS}")
    lists = module_from_spec(found)
    found.loader.exec_module(lists)
    return frozenset(lists.FREQUENCY_LISTS["passwords"])
