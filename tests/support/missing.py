"""Parts that a machine may lack (a broker, a container engine): a test without one skips, loudly.

`missing()` skips and remembers the reason; the end of the run lists them all, so that a green run never hides what it
did not look at. Where `RUNNERLY_NOTHING_SKIPPED=1` (the CI that promises every part is there) it fails instead.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

_REASONS = pytest.StashKey[set[str]]()
OPTIONAL = "optional: "


def missing(config: pytest.Config, reason: str) -> NoReturn:
    """Skip the test (or fail it, where nothing may be skipped): `reason` says what is absent and how to get it."""
    config.stash.setdefault(_REASONS, set()).add(reason)
    if os.environ.get("RUNNERLY_NOTHING_SKIPPED") == "1":
        pytest.fail(f"nothing may be skipped here, but: {reason}", pytrace=False)
    pytest.skip(reason)


def no_data(config: pytest.Config, reason: str) -> NoReturn:
    """Skip the test, loudly, for want of data that is kept outside the project; also where no part may be missing."""
    config.stash.setdefault(_REASONS, set()).add(OPTIONAL + reason)
    pytest.skip(OPTIONAL + reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List what was absent, so that nobody takes this run for a whole one."""
    reasons = config.stash.get(_REASONS, set())
    if not reasons:
        return
    terminalreporter.section("NOT TESTED: parts that are missing on this machine", sep="!", red=True, bold=True)
    for reason in sorted(reasons):
        terminalreporter.line(f"- {reason}")
