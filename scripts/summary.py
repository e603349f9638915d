"""The last words of `make test`: what each suite ran, and, loudly, what it left out and why.

It reads the reports that the suites wrote (JUnit XML) and removes them, so that none is told twice. With
`RUNNERLY_NOTHING_SKIPPED=1`, as in CI, a test that was left out is a failure, but for want of data that is kept elsewhere.
"""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

OPTIONAL = "optional: "  # begins the reasons of tests/support/missing.py that no machine has to meet


@dataclass(slots=True)
class Suite:
    """What one suite reported."""

    name: str
    tests: int = 0
    failed: int = 0
    seconds: float = 0.0
    left_out: Counter[str] = field(default_factory=Counter)  # reason -> how many tests

    @property
    def passed(self) -> int:
        """How many tests ran and held."""
        return self.tests - self.failed - self.left_out.total()


def main(arguments: Sequence[str]) -> int:
    """Print the summary of the folder of reports named first; 1 where something was left out that must not be."""
    paths = sorted(Path(arguments[0]).glob("*.xml"), key=lambda path: path.stat().st_mtime)
    suites = [read(path) for path in paths]
    for path in paths:
        path.unlink()
    for suite in suites:
        print(line(suite))
    reasons = sum((suite.left_out for suite in suites), start=Counter[str]())
    if not reasons:
        print("Nothing was skipped.")
        return 0
    print(f"\n!!! SKIPPED: {reasons.total()} tests did not run:")
    for reason, count in reasons.most_common():
        print(f"!!!   {count:4} x {reason}")
    needed = [reason for reason in reasons if not reason.startswith(OPTIONAL)]
    return 1 if needed and os.environ.get("RUNNERLY_NOTHING_SKIPPED") == "1" else 0


def read(path: Path) -> Suite:
    """What one report says."""
    suite = Suite(path.stem)
    for report in ET.parse(path).iter("testsuite"):
        suite.tests += int(report.get("tests", 0))
        suite.failed += int(report.get("failures", 0)) + int(report.get("errors", 0))
        suite.seconds += float(report.get("time", 0))
        suite.left_out.update(skip.get("message", "no reason given") for skip in report.iter("skipped"))
    return suite


def line(suite: Suite) -> str:
    """One suite in one line, in pytest's own words."""
    counts = [f"{suite.failed} failed"] if suite.failed else []
    counts += [f"{suite.passed} passed"]
    counts += [f"{suite.left_out.total()} skipped"] if suite.left_out else []
    return f"{suite.name}: {', '.join(counts)} in {suite.seconds:.1f}s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
