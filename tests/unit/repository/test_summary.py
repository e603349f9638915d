"""The last words of `make test` tell what did not run, and CI fails for it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REPORT = """<testsuites><testsuite name="pytest" tests="4" failures="1" errors="0" skipped="{skipped}" time="1.5">
<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>{tests}</testsuite></testsuites>"""
SKIP = '<testcase name="c"><skipped type="pytest.skip" message="{reason}"/></testcase>'


def summary(folder: Path, *reasons: str, nothing_skipped: bool) -> subprocess.CompletedProcess[str]:
    """What the summary says of one suite that left out a test for each reason."""
    tests = "".join(SKIP.format(reason=reason) for reason in reasons)
    (folder / "unit.xml").write_text(REPORT.format(skipped=len(reasons), tests=tests))
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "summary.py", folder],
        env={"RUNNERLY_NOTHING_SKIPPED": "1" if nothing_skipped else ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_says_what_ran_in_pytests_words(tmp_path: Path) -> None:
    """One line a suite; a report is told once."""
    told = summary(tmp_path, "no podman", nothing_skipped=False)
    assert "unit: 1 failed, 2 passed, 1 skipped in 1.5s" in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_names_each_reason_loudly(tmp_path: Path) -> None:
    """With how many tests it cost."""
    told = summary(tmp_path, "no podman", "no podman", "no nginx", nothing_skipped=False)
    assert "!!! SKIPPED: 3 tests did not run" in told.stdout
    assert "2 x no podman" in told.stdout
    assert told.returncode == 0


@pytest.mark.parametrize(("reason", "code"), [("no podman", 1), ("optional: the corpus", 0)])
def test_where_nothing_may_be_skipped_a_part_is_missed(tmp_path: Path, reason: str, code: int) -> None:
    """Data that is kept elsewhere is not."""
    assert summary(tmp_path, reason, nothing_skipped=True).returncode == code


def test_without_skips_it_says_so(tmp_path: Path) -> None:
    """Silence could mean anything."""
    told = summary(tmp_path, nothing_skipped=True)
    assert "Nothing was skipped." in told.stdout
    assert told.returncode == 0
