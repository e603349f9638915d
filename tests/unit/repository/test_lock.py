"""The lock files: fresh, complete, and without an address."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "requirements"
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
PRE_RELEASES = {"secantusdb"}
NAMES = ["run", "image", "dev", "lock"]


def pinned(name: str) -> dict[str, str]:
    """The versions in a lock, by package."""
    return dict(PINNED.findall((REQUIREMENTS / f"{name}.txt").read_text()))


def test_locks_are_as_new_as_what_they_were_made_from() -> None:
    """`make lock` was run after the last change of a dependency."""
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "lock.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_version_has_a_hash(name: str) -> None:
    """One without makes pip refuse the whole lock; find it here first."""
    entries = re.split(r"^(?=[a-z0-9-]+==)", (REQUIREMENTS / f"{name}.txt").read_text(), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", NAMES)
def test_only_stable_releases(name: str) -> None:
    """A pre-release is an exception that is named here."""
    pre = {package for package, version in pinned(name).items() if Version(version).is_prerelease}
    assert pre <= PRE_RELEASES


@pytest.mark.parametrize("name", NAMES)
def test_no_address_in_a_lock(name: str) -> None:
    """Where packages come from is the machine's business."""
    assert "://" not in (REQUIREMENTS / f"{name}.txt").read_text()


def test_developers_get_the_versions_that_run() -> None:
    """A test on other versions than the ones that serve proves little."""
    run, dev, image = pinned("run"), pinned("dev"), pinned("image")
    assert run.items() <= dev.items()
    assert image.items() <= run.items()


def test_every_direct_dependency_is_locked() -> None:
    """The digest says that a lock is fresh, this that it was made."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {Requirement(each).name.lower() for each in declared} <= pinned("image").keys()
