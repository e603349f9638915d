"""Ask pip-audit whether what a lock file installs has known weaknesses; say loudly what could not be asked.

A weakness fails. A database that can't be reached does not: it says nothing about our code. pip-audit calls that
"no known vulnerabilities", so its report is read here, package by package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

TIMEOUT_S = 20


def main(locks: Sequence[str]) -> int:
    """Audit each lock file; 1 when something in one of them is known to be weak."""
    return max([audit(lock) for lock in locks], default=0)


def audit(lock: str) -> int:
    """Audit one lock file."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", str(TIMEOUT_S)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        shout(f"NOT AUDITED: {lock}: pip-audit could not ask its database ({last[:200]})")
        return 0
    unasked = [package["name"] for package in packages if "skip_reason" in package]
    weak = [package for package in packages if package.get("vulns")]
    if unasked:
        shout(f"NOT AUDITED: {lock}: pip-audit's database did not know or did not answer about {len(unasked)} of")
        shout(f"{len(packages)} packages; run it again where that database can be reached")
    for package in weak:
        for weakness in package["vulns"]:
            fixed = ", ".join(weakness["fix_versions"]) or "no version yet"
            shout(f"{package['name']} {package['version']}: {weakness['id']}, fixed in {fixed}")
    print(f"{lock}: {len(packages) - len(unasked)} packages audited, {len(weak)} with known weaknesses")
    return 1 if weak else 0


def shout(words: str) -> None:
    """One line that is seen."""
    print(f"!!! {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
