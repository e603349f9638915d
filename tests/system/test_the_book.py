"""What `docs/start.md` tells people to type does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.missing import missing
from tests.support.recordings import a_run, gpx
from tests.support.running import ROOT, Running

SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = "## The same, as a program does it"


def commands(page: str, heading: str) -> str:
    """All that a section of a page says to type."""
    section = (ROOT / "docs" / page).read_text().partition(f"{heading}\n")[2].partition("\n## ")[0]
    return "\n".join(SHELL.findall(section))


def test_the_first_steps_can_be_typed(it: Running, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """From no account to a month's sum, one command after the other; only the addresses and the name are this run's."""
    if not shutil.which("curl"):
        missing(pytestconfig, "curl: apt-get install curl (what the book says to type)")
    (tmp_path / "run.gpx").write_bytes(gpx(a_run(600, start=datetime(2026, 3, 1, 7, tzinfo=UTC))))
    typed = commands("start.md", HEADING)
    assert typed.count("curl") >= 6
    here = typed.replace("127.0.0.1:8080", f"127.0.0.1:{it.port}").replace(
        "127.0.0.1:8025", f"127.0.0.1:{it.sandbox_port}"
    )
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"period":"2026-03-01"' in ran.stdout.replace(" ", "")
