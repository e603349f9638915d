"""Write the lock files from `pyproject.toml`: every version and hash, and no address of an index.

The first line of each is a digest of what it was made from, so that `--check` finds a stale one without a network.
Versions that are locked already are kept; `--upgrade` takes the newest stable ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = "3.11"
MARK = "# From pyproject.toml: "


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock file: the extras and groups in it, and the lock whose versions it must agree with."""

    name: str
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    project: bool = True
    agrees_with: str | None = None

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return ROOT / "requirements" / f"{self.name}.txt"


LOCKS = (
    Lock("run", extras=("embedded", "circus"), groups=("build",)),
    Lock("image", extras=("circus",), groups=("build",), agrees_with="run"),
    Lock("dev", extras=("embedded", "circus"), groups=("dev",), agrees_with="run"),
    Lock("lock", groups=("lock",), project=False),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the locks, or say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say which lock files are stale; exit 1 if one is")
    parser.add_argument("--upgrade", action="store_true", help="take the newest stable versions")
    parser.add_argument("--uv", default="uv", help="the uv to use")
    options = parser.parse_args(arguments)
    if options.check:
        stale = [lock.name for lock in LOCKS if is_stale(lock)]
        for name in stale:
            print(f"requirements/{name}.txt is older than pyproject.toml: run `make lock`", file=sys.stderr)
        return 1 if stale else 0
    for lock in LOCKS:
        write(lock, uv=options.uv, upgrade=options.upgrade)
    return 0


def is_stale(lock: Lock) -> bool:
    """Whether what the lock was made from has changed since."""
    return not lock.path.exists() or not lock.path.read_text().startswith(MARK + digest(lock) + "\n")


def digest(lock: Lock) -> str:
    """A digest of what `pyproject.toml` asks of this lock."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = declared["project"], declared["dependency-groups"]
    asked = {
        "python": project["requires-python"],
        "project": sorted(project["dependencies"]) if lock.project else [],
        "extras": {extra: sorted(project["optional-dependencies"][extra]) for extra in lock.extras},
        "groups": {group: sorted(members(groups, group)) for group in lock.groups},
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def members(groups: Mapping[str, Sequence[Any]], name: str) -> list[str]:
    """The requirements of a dependency group, those of the groups it includes among them (PEP 735)."""
    found: list[str] = []
    for member in groups[name]:
        found += [member] if isinstance(member, str) else members(groups, member["include-group"])
    return found


def write(lock: Lock, *, uv: str, upgrade: bool) -> None:
    """Resolve one lock and write it."""
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON]
    command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-config"]
    command += [f"--extra={extra}" for extra in lock.extras]
    command += [f"--group={group}" for group in lock.groups]
    command += [f"--constraint=requirements/{lock.agrees_with}.txt"] if lock.agrees_with else []
    command += ["--upgrade"] if upgrade else []
    command += ["pyproject.toml"] if lock.project else []
    print(f"requirements/{lock.name}.txt", file=sys.stderr)
    resolved = subprocess.run([*command, "--output-file", str(lock.path.relative_to(ROOT))], cwd=ROOT, check=False)
    if resolved.returncode:
        raise SystemExit(resolved.returncode)
    body = "".join(line for line in lock.path.open() if not line.startswith(MARK))
    lock.path.write_text(f"{MARK}{digest(lock)}\n{body}")


if __name__ == "__main__":
    sys.exit(main())
